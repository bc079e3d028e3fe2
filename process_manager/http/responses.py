"""The responses about instances over HTTP. Times are RFC 3339, but for `recorded_at`: epoch milliseconds."""

from datetime import UTC, datetime

from msgspec import Struct

from process_manager.instances.index import NEVER, InstanceRecord
from process_manager.instances.operating import CommandStory, HistoryEntry, Story


class InstanceSummary(Struct, frozen=True):
    """One instance in a list. `status` is running, stuck or ended; `outcome` what it has ended with, "" before.
    `waits_for` are the steps whose answer is awaited, `failed_steps` those that wait for an operator; `next_timer` is
    the timer that is due next, at `next_timer_at`."""

    process: str
    instance: str
    status: str
    outcome: str
    waits_for: list[str]
    failed_steps: list[str]
    next_timer: str | None
    next_timer_at: datetime | None
    started_at: datetime
    started_position: int


class Instances(Struct, frozen=True):
    """The newest first. `next` is the position to pass as `before` for more; None on the last page."""

    instances: list[InstanceSummary]
    next: int | None


class ProcessCounts(Struct, frozen=True):
    """One process of the application with the number of its instances, by their state."""

    process: str
    version: int
    running: int
    stuck: int
    ended: int


class Processes(Struct, frozen=True):
    """Every process of the application."""

    processes: list[ProcessCounts]


class PendingTimer(Struct, frozen=True):
    """Something that is going to happen."""

    name: str
    due_at: datetime


class FailedStep(Struct, frozen=True):
    """A step that waits for an operator, and why."""

    step: str
    code: str
    detail: str
    failed_at: datetime


class InstanceDetails(Struct, frozen=True):
    """All of an instance. `history` is its whole stream."""

    process: str
    instance: str
    status: str
    outcome: str
    started_at: datetime | None
    commands: list[CommandStory]
    timers: list[PendingTimer]
    failures: list[FailedStep]
    history: list[HistoryEntry]


class Changed(Struct, frozen=True):
    """The steps that are tried again, or are taken as done."""

    process: str
    instance: str
    steps: list[str]


def summary(record: InstanceRecord) -> InstanceSummary:
    due = None if record.next_timer_at == NEVER else _moment(record.next_timer_at)
    return InstanceSummary(
        process=record.process,
        instance=record.instance,
        status=record.status,
        outcome=record.outcome,
        waits_for=record.open_steps,
        failed_steps=record.failed_steps,
        next_timer=record.next_timer or None,
        next_timer_at=due,
        started_at=_moment(record.started_at),
        started_position=record.started_position,
    )


def details(story: Story) -> InstanceDetails:
    instance = story.instance
    return InstanceDetails(
        process=instance.process.name,
        instance=instance.id,
        status=instance.status,
        outcome=instance.outcome,
        started_at=instance.started_at,
        commands=list(story.commands),
        timers=[PendingTimer(one.name, one.due_at) for one in instance.timers.values()],
        failures=[FailedStep(one.step, one.code, one.detail, one.at) for one in instance.failures.values()],
        history=list(story.history),
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
