"""What operators do with instances: find them, read all of one, and get on with one that is stuck."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from domain.model.process import Process
from domain.model.process_events import (
    CommandAnswered,
    CommandIssued,
    CompensationFailed,
    CompensationResolved,
    CompensationRetried,
)
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, WrongExpectedRevision
from process_manager.instances.instance import Instance
from process_manager.instances.streams import ACTOR, InstanceStreams, StreamStore

_MOST_CONFLICTS = 20


class NoSuchProcess(Exception):
    """The application has no process of that name."""


class NoSuchInstance(Exception):
    """No instance of that id has begun."""


class NotStuck(Exception):
    """The instance does not wait for an operator; or not at that step."""


class CommandStory(Struct, frozen=True):
    """One command of an instance with its last answer; what depends on the answer is None before it."""

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


class HistoryEntry(Struct, frozen=True):
    """One event of the instance's stream."""

    revision: int
    position: int
    recorded_at: int
    type: str
    data: Any


class Story(Struct, frozen=True):
    """All of an instance."""

    instance: Instance
    commands: Sequence[CommandStory]
    history: Sequence[HistoryEntry]


class InstanceOperations:
    """Over the streams: any process manager can do it, whoever has the instance; that one goes on when it sees the
    events. Every method raises NoSuchProcess, NoSuchInstance, and what the event store raises."""

    def __init__(
        self,
        store: StreamStore,
        codec: EventCodec,
        processes: Sequence[Process],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.processes: Mapping[str, Process] = {one.name: one for one in processes}
        self._store = store
        self._codec = codec
        self._clock = clock

    def process(self, name: str) -> Process:
        """The process of that name."""
        if name not in self.processes:
            raise NoSuchProcess(f"there is no process {name[:100]!r}; there are {', '.join(sorted(self.processes))}")
        return self.processes[name]

    async def story(self, process: str, instance_id: str) -> Story:
        """All of an instance as its stream tells it."""
        known = self.process(process)
        stored = await self._store.read_stream(known.stream(instance_id))
        if not stored:
            raise _no_such(process, instance_id)
        instance = Instance(known, instance_id)
        for one in stored:
            instance.take(one, self._codec)
        events = [self._codec.decode(one).event for one in stored]
        return Story(instance, _commands(events), [_entry(one) for one in stored])

    async def retry(self, process: str, instance_id: str, step: str | None = None, actor: str = ACTOR) -> list[str]:
        """Has the failed steps (or one of them) tried again, for `actor`; gives their names. Raises NotStuck."""

        def retried(instance: Instance, failure: CompensationFailed, at: datetime) -> list[Struct]:
            last = instance.commands[failure.command]
            names = process, instance_id, failure.step
            if failure.code == "no-answer" and instance.last_command(failure.step) is last:
                return [CompensationRetried(*names, failure.command, at)]
            again = str(uuid.uuid4())
            issued = msgspec.structs.replace(last.issued, command=again, at=at)
            return [CompensationRetried(*names, again, at), issued]

        return await self._change(process, instance_id, step, actor, retried)

    async def resolve(
        self, process: str, instance_id: str, reason: str, step: str | None = None, actor: str = ACTOR
    ) -> list[str]:
        """Records that the failed steps (or one of them) were seen to by hand, as `actor` says; gives their names.
        Raises NotStuck."""

        def resolved(_instance: Instance, failure: CompensationFailed, at: datetime) -> list[Struct]:
            return [CompensationResolved(process, instance_id, failure.step, reason, str(uuid.uuid4()), at)]

        return await self._change(process, instance_id, step, actor, resolved)

    async def _change(
        self,
        process: str,
        instance_id: str,
        step: str | None,
        actor: str,
        events: Callable[[Instance, CompensationFailed, datetime], list[Struct]],
    ) -> list[str]:
        streams = InstanceStreams(self._store, self._codec, self.process(process))
        for _ in range(_MOST_CONFLICTS):
            instance = await streams.reload(instance_id)
            if not instance.begun:
                raise _no_such(process, instance_id)
            failures = [one for one in instance.failures.values() if step in (None, one.step)]
            if not failures:
                stuck = ", ".join(instance.failures) or "no step"
                raise NotStuck(f"{process} {instance_id} is {instance.status}; {stuck} waits for an operator")
            at = self._clock()
            try:
                new = [event for one in failures for event in events(instance, one, at)]
                await streams.append(instance, new, actor=actor)
            except WrongExpectedRevision:
                continue
            return [one.step for one in failures]
        raise RuntimeError(f"{process} {instance_id} changed {_MOST_CONFLICTS} times while it was to be changed")


def _no_such(process: str, instance_id: str) -> NoSuchInstance:
    return NoSuchInstance(f"no {process} of {instance_id[:100]!r} has begun")


def _commands(events: Sequence[Struct]) -> list[CommandStory]:
    stories: dict[str, CommandStory] = {}
    for event in events:
        if isinstance(event, CommandIssued):
            path = f"/{event.plural}/{event.aggregate_id}/{event.action}".rstrip("/")
            stories[event.command] = CommandStory(
                event.step, event.command, path, event.body, event.compensation, event.at
            )
        elif isinstance(event, CommandAnswered) and event.command in stories:
            stories[event.command] = msgspec.structs.replace(
                stories[event.command],
                answered_at=event.at,
                accepted=event.accepted,
                status=event.status,
                code=event.code,
                detail=event.detail,
                attempts=event.attempts,
            )
    return list(stories.values())


def _entry(stored: StoredEvent) -> HistoryEntry:
    data = msgspec.json.decode(stored.data)
    return HistoryEntry(stored.revision, stored.position, stored.recorded_at, stored.type, data)
