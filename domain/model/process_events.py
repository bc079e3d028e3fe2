"""What stands in the stream of a process's instance besides its own events: what came, and what was done about it.

`process` and `instance` name the instance; `at` is when it was decided (aware, in UTC). All that follows from one
trigger is appended at once, before any of it is carried out.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.model.event_types import EventType


class ProcessTriggered(Struct, frozen=True):
    """The instance reacts to something: by an event (`kind` "event"), a timer or an answer.

    `trigger` is its id, by which a repetition is recognised; `name` is the type of the event, or the name of the timer
    or step. An event's `stream` and `position` say where it stands in the log.
    """

    process: str
    instance: str
    kind: str
    trigger: str
    name: str
    at: datetime
    stream: str = ""
    position: int = -1


class CommandIssued(Struct, frozen=True):
    """A command is to be carried out, see domain.model.process.Command. `command` is its id, under which the aggregate
    knows it too; `body` is sent to `/<plural>/<aggregate_id>/<action>`, where an `action` of "" creates."""

    process: str
    instance: str
    command: str
    step: str
    plural: str
    aggregate_id: str
    action: str
    body: dict[str, Any]
    at: datetime
    compensation: bool = False
    satisfied_by: list[str] = []
    attempts: int = 3


class CommandAnswered(Struct, frozen=True):
    """What came of a command. `answer` counts the answers that it has had, `attempts` how often it was sent for this
    one."""

    process: str
    instance: str
    command: str
    step: str
    answer: int
    accepted: bool
    status: int
    at: datetime
    code: str = ""
    detail: str = ""
    attempts: int = 1


class CompensationFailed(Struct, frozen=True):
    """What must not fail has failed, so that somebody must see to it: the instance is stuck. `command` is the last one
    of that step."""

    process: str
    instance: str
    step: str
    command: str
    code: str
    detail: str
    at: datetime


class CompensationRetried(Struct, frozen=True):
    """An operator has the step tried again: by a new command, or where the last one never had an answer, by that."""

    process: str
    instance: str
    step: str
    command: str
    at: datetime


class CompensationResolved(Struct, frozen=True):
    """An operator says that a step was seen to by hand."""

    process: str
    instance: str
    step: str
    reason: str
    resolution: str
    at: datetime


class TimerSet(Struct, frozen=True):
    """Something is to happen at `due_at`. `timer` is the id of this setting of the timer `name`."""

    process: str
    instance: str
    timer: str
    name: str
    due_at: datetime
    at: datetime


class TimerCancelled(Struct, frozen=True):
    """It is not to happen any more."""

    process: str
    instance: str
    timer: str
    name: str
    at: datetime


class TimerFired(Struct, frozen=True):
    """It was time."""

    process: str
    instance: str
    timer: str
    name: str
    due_at: datetime
    at: datetime


class ProcessEnded(Struct, frozen=True):
    """Nothing is left to do."""

    process: str
    instance: str
    outcome: str
    at: datetime


PROCESS_EVENTS = (
    EventType("ProcessTriggered", 1, ProcessTriggered),
    EventType("CommandIssued", 1, CommandIssued),
    EventType("CommandAnswered", 1, CommandAnswered),
    EventType("CompensationFailed", 1, CompensationFailed),
    EventType("CompensationRetried", 1, CompensationRetried),
    EventType("CompensationResolved", 1, CompensationResolved),
    EventType("TimerSet", 1, TimerSet),
    EventType("TimerCancelled", 1, TimerCancelled),
    EventType("TimerFired", 1, TimerFired),
    EventType("ProcessEnded", 1, ProcessEnded),
)
"""The events that every process has, in one registry once."""
