"""An instance of a process as its stream tells it."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from domain.model.process import Process
from domain.model.process_events import (
    PROCESS_EVENTS,
    CommandAnswered,
    CommandIssued,
    CompensationFailed,
    CompensationResolved,
    CompensationRetried,
    ProcessEnded,
    ProcessTriggered,
    TimerCancelled,
    TimerFired,
    TimerSet,
)
from infrastructure.event_codec import EventCodec, decode_metadata
from infrastructure.event_store import NO_STREAM, StoredEvent
from infrastructure.evidence.chain import head_after
from infrastructure.evidence.verifier import Link
from infrastructure.telemetry import NO_TRACE, TraceContext

_OF_ANY_PROCESS = frozenset(one.struct for one in PROCESS_EVENTS)

Recorded = CommandAnswered | TimerFired | CompensationResolved
"""What is recorded because it happened, whether or not it is known yet what to do about it."""


class SentCommand(Struct):
    """A command that was issued, and how often it has been answered. It is `open` while an answer is awaited."""

    issued: CommandIssued
    answers: int = 0
    open: bool = True


class Instance:
    """Folded event by event. `state` is the process's own, None before its first event.

    `handled` are the ids of the triggers that it has reacted to, `undecided` what is recorded and was not reacted to
    yet, by the same ids. `started` is its first reaction. `commands` are by id, `timers` by name,
    `failures` by step. `outcome` is "" until it has ended. `chain` is the link that the next event goes on from.
    `trace` is that of its first event: whatever becomes of it later continues that one.
    """

    def __init__(self, process: Process, instance: str) -> None:
        self.process = process
        self.id = instance
        self.state: Any = None
        self.revision = NO_STREAM
        self.position = -1
        self.started: ProcessTriggered | None = None
        self.correlation_id = ""
        self.trace = NO_TRACE
        self.handled: set[str] = set()
        self.undecided: dict[str, Recorded] = {}
        self.commands: dict[str, SentCommand] = {}
        self.timers: dict[str, TimerSet] = {}
        self.failures: dict[str, CompensationFailed] = {}
        self.outcome = ""
        self.chain: Link | None = None

    @property
    def begun(self) -> bool:
        """Whether it has a stream."""
        return self.revision != NO_STREAM

    @property
    def started_at(self) -> datetime | None:
        return None if self.started is None else self.started.at

    @property
    def started_position(self) -> int:
        """The position of the event that began it; -1 before."""
        return -1 if self.started is None else self.started.position

    @property
    def stuck(self) -> bool:
        """Whether it needs somebody to see to it."""
        return bool(self.failures)

    @property
    def status(self) -> str:
        """In a word: running, stuck or ended."""
        if self.stuck:
            return "stuck"
        return "ended" if self.outcome else "running"

    @property
    def open_commands(self) -> list[SentCommand]:
        """The commands that await an answer."""
        return [one for one in self.commands.values() if one.open]

    @property
    def open_steps(self) -> frozenset[str]:
        return frozenset(one.issued.step for one in self.open_commands)

    def last_command(self, step: str) -> SentCommand | None:
        """The newest command of a step."""
        return next((one for one in reversed(self.commands.values()) if one.issued.step == step), None)

    def take(self, stored: StoredEvent, codec: EventCodec) -> None:
        """The next event of its stream. Raises UnknownEventType or UndecodableEvent."""
        event = codec.decode(stored).event
        if self.revision == NO_STREAM:
            metadata = decode_metadata(stored)
            self.correlation_id = metadata.correlation_id or ""
            self.trace = TraceContext(metadata.traceparent, metadata.tracestate)
        self.apply(event)
        self.revision, self.position = stored.revision, stored.position
        self.chain = head_after(self.chain, [stored])

    def apply(self, event: Struct) -> None:
        """What an event changes, but for where it stands."""
        if type(event) not in _OF_ANY_PROCESS:
            self.state = self.process.evolve(self.state, event)
            return
        match event:
            case ProcessTriggered():
                if self.started is None:
                    self.started = event
                self.handled.add(event.trigger)
                self.undecided.pop(event.trigger, None)
                self.outcome = ""
            case CommandIssued():
                self.commands[event.command] = SentCommand(event)
            case CommandAnswered():
                sent = self.commands[event.command]
                sent.answers, sent.open = event.answer, False
                self._record(event)
            case CompensationFailed():
                self.failures[event.step] = event
            case CompensationRetried():
                self.failures.pop(event.step, None)
                if event.command in self.commands:
                    self.commands[event.command].open = True
            case CompensationResolved():
                self.failures.pop(event.step, None)
                self._record(event)
            case TimerSet():
                self.timers[event.name] = event
            case TimerCancelled():
                self.timers.pop(event.name, None)
            case TimerFired():
                self.timers.pop(event.name, None)
                self._record(event)
            case ProcessEnded():
                self.outcome = event.outcome
                self.timers.clear()

    def _record(self, event: Recorded) -> None:
        trigger = trigger_id(event)
        if trigger not in self.handled:
            self.undecided[trigger] = event


def trigger_id(event: Recorded) -> str:
    """By which a reaction to it is recognised."""
    match event:
        case CommandAnswered():
            return f"answer:{event.command}:{event.answer}"
        case TimerFired():
            return f"timer:{event.timer}"
        case CompensationResolved():
            return f"resolved:{event.resolution}"


def body_of(command: Struct) -> dict[str, Any]:
    """A command as the JSON object that is sent."""
    body: dict[str, Any] = msgspec.to_builtins(command)
    return body
