"""What a process is: a pure decider over events that answers them with commands to aggregates, and with timers.

A process is where several aggregates must be brought to one end: each step is a command, and where a step fails, what
was done is compensated by further commands. An instance of it has a stream of its own, `<process>-<instance>`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.model.event_types import EventType

Correlate = Callable[[Any], str]
"""correlate(event) -> the id of the instance that the event concerns; "" for none."""

NO_ANSWER = "no-answer"
"""The code of a compensation that never had a definite answer."""

RESOLVED = "resolved"
"""The code of an answer that an operator gave: what the command was to do has been seen to by hand."""


class Command(Struct, frozen=True):
    """A command that is to be carried out: `command` on the aggregate `aggregate_id` of a category.

    `step` names it within the process: an instance has at most one open command a step.

    A `compensation` must not fail: it undoes what was done, or does what there is no way back from. It is tried
    `attempts` times where it is refused; refused by then, or without any answer for long, it makes the instance stuck
    until an operator sees to it. A refusal by one of the codes `satisfied_by` says that nothing is left to do.
    """

    step: str
    category: str
    aggregate_id: str
    command: Struct
    compensation: bool = False
    satisfied_by: frozenset[str] = frozenset()
    attempts: int = 3


class Timer(Struct, frozen=True):
    """Something that is to happen at `due_at` (aware). A timer that is set again under its name is moved."""

    name: str
    due_at: datetime


class Failure(Struct, frozen=True):
    """A compensation that was accepted and has failed all the same, as a later event says. An operator who retries it
    has the last command of `step` carried out anew."""

    step: str
    code: str
    detail: str


class Decision(Struct, frozen=True):
    """What an instance does about a trigger. `events` are facts of the process itself; `ended` is the outcome with
    which it ends, which it can't while a step is open. Timers of an instance that has ended are forgotten."""

    events: Sequence[Struct] = ()
    commands: Sequence[Command] = ()
    timers: Sequence[Timer] = ()
    cancelled_timers: Sequence[str] = ()
    failures: Sequence[Failure] = ()
    ended: str = ""


class TimerDue(Struct, frozen=True):
    """The trigger of a timer; it may come long after `due_at`."""

    name: str
    due_at: datetime


class Answer(Struct, frozen=True):
    """The trigger of a command's answer. `accepted`: it was carried out, now or by an earlier attempt, or there was
    nothing left to do. Otherwise `code` says in a word why not, and `detail` in a sentence."""

    step: str
    accepted: bool
    status: int = 200
    code: str = ""
    detail: str = ""


class ProcessContext(Struct, frozen=True):
    """What a decision needs to know besides the trigger and the state. `at` is now; `open` are the steps whose command
    has no answer yet, or has failed and waits for an operator; `timers` those that are set, with when they are due."""

    instance: str
    at: datetime
    open: frozenset[str] = frozenset()
    timers: Mapping[str, datetime] = {}


Decide = Callable[[Any, Any, ProcessContext], Decision]
"""decide(event, TimerDue or Answer, state or None, context) -> Decision; pure."""

Evolve = Callable[[Any, Any], Any]
"""evolve(state or None, an event of the process) -> state."""


class Process(Struct, frozen=True):
    """One kind of process. `version` rises when older code must not run its instances any more.

    `starts` are the events that begin an instance, `reacts` those that concern one that has begun; both say which. An
    instance that has ended takes no notice of events but those in `reopened_by`. `outcomes` are those that it ends
    with, for who counts them.

    Raises ValueError when its name is no name for streams, or when it reopens for what it does not react to.
    """

    name: str
    version: int
    state: type[Struct]
    events: tuple[EventType, ...]
    starts: Mapping[type[Struct], Correlate]
    reacts: Mapping[type[Struct], Correlate]
    decide: Decide
    evolve: Evolve
    reopened_by: frozenset[type[Struct]] = frozenset()
    outcomes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.isidentifier() and self.name.islower()):
            raise ValueError(f"a process is named by small letters, digits and underscores, not {self.name!r}")
        unknown = self.reopened_by - self.reacts.keys()
        if unknown:
            names = ", ".join(sorted(one.__name__ for one in unknown))
            raise ValueError(f"{self.name} is reopened by {names}, to which it does not react")

    def stream(self, instance: str) -> str:
        """The stream of an instance."""
        return f"{self.name}-{instance}"
