"""The process manager's answers about instances, as far as they are shown."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class ProcessCounts(Struct, frozen=True):
    """One process, with the number of its instances."""

    process: str
    running: int
    stuck: int
    ended: int


class Processes(Struct, frozen=True):
    processes: list[ProcessCounts]


class Summary(Struct, frozen=True):
    """One instance in a list."""

    process: str
    instance: str
    status: str
    outcome: str
    waits_for: list[str]
    failed_steps: list[str]
    started_at: datetime
    started_position: int
    next_timer: str | None = None
    next_timer_at: datetime | None = None


class Page(Struct, frozen=True):
    """The newest first; `next` is where the next page begins."""

    instances: list[Summary] = []
    next: int | None = None


class Command(Struct, frozen=True):
    """One command with its last answer, where it has one."""

    step: str
    command: str
    path: str
    body: dict[str, Any]
    compensation: bool
    issued_at: datetime
    answered_at: datetime | None = None
    accepted: bool | None = None
    status: int | None = None
    code: str | None = None
    detail: str | None = None
    attempts: int | None = None


class Timer(Struct, frozen=True):
    name: str
    due_at: datetime


class Failure(Struct, frozen=True):
    """A step that waits for an operator."""

    step: str
    code: str
    detail: str
    failed_at: datetime


class Entry(Struct, frozen=True):
    """One event of the instance's stream."""

    revision: int
    recorded_at: int
    type: str
    data: dict[str, Any]


class Details(Struct, frozen=True):
    """All of an instance."""

    process: str
    instance: str
    status: str
    outcome: str
    commands: list[Command]
    timers: list[Timer]
    failures: list[Failure]
    history: list[Entry]
    started_at: datetime | None = None


class Changed(Struct, frozen=True):
    """The steps that are tried again, or are taken as done."""

    process: str
    instance: str
    steps: list[str]
