"""A log, a read store and a command API in memory, and process managers over them that can be killed anywhere."""

import asyncio
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from domain.model.command_context import CommandContext
from domain.model.errors import InvalidCommand, NoSuchAggregate, RuleViolation
from infrastructure.application import Application
from infrastructure.event_codec import EventCodec, EventMetadata, decode_metadata
from infrastructure.event_store import NO_STREAM, Appended, NewEvent, WrongExpectedRevision
from infrastructure.settings import Settings
from process_manager.instances.index import COLLECTION, InstanceIndex
from process_manager.instances.instance import Instance
from process_manager.instances.operating import InstanceOperations
from process_manager.instances.reaction import Routes
from process_manager.running.consumer import ProcessConsumer
from process_manager.running.runner import Surroundings
from process_manager.running.workload import ProcessWorkload
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.process import create_coordinator
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.memory_event_store import MemoryEventStore

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)

Hook = Callable[[str, str], Awaitable[None]]


async def nothing(_operation: str, _what: str) -> None: ...


def at_once() -> Iterator[float]:
    """No pause between attempts."""
    return itertools.repeat(0.0)


class Unanswered(Exception):
    """Nobody knows what came of a command."""


class Answer(Struct, frozen=True):
    """As infrastructure.outside.commands.CommandAnswer."""

    accepted: bool
    status: int = 200
    code: str = ""
    detail: str = ""


class World(MemoryEventStore):
    """The event store of an application whose log can be followed too, and its command API.

    `before` and `after` are awaited round every append and every command; `sent` are the commands that came, by step
    and key. `refuse` gives an answer to a command instead of the aggregate, `unanswered` how many times commands have
    none: half of those times the command is carried out.
    """

    def __init__(self, application: Application) -> None:
        super().__init__()
        self.application = application
        self.codec = EventCodec(application.aggregates, application.processes)
        self.followed = ScriptedLog([])
        self.documents = MemoryReadStore()
        self.before: Hook = nothing
        self.after: Hook = nothing
        self.sent: list[tuple[str, str, str]] = []
        self.keys: dict[str, tuple[str, str, str]] = {}
        self.refuse: Callable[[str, str, str], Answer | None] = lambda plural, aggregate_id, action: None
        self.unanswered = 0
        self._aggregates = {one.plural: one for one in application.aggregates}

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended:
        await self.before("append", stream)
        length = len(self.log)
        appended = await super().append(stream, expected, events)
        self.followed.append(*self.log[length:])
        await self.after("append", stream)
        return appended

    async def happen(self, stream: str, *events: Struct, traceparent: str | None = None) -> None:
        """Domain events are appended to a stream, wherever it is."""
        metadata = EventMetadata(traceparent=traceparent)
        new = [self.codec.encode(event, metadata, str(uuid.uuid4())) for event in events]
        last = [one.revision for one in self.log if one.stream == stream]
        length = len(self.log)
        await super().append(stream, max(last, default=NO_STREAM), new)
        self.followed.append(*self.log[length:])

    async def send(
        self,
        plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
    ) -> Answer:
        """As CommandSender says."""
        await self.before("send", key)
        self.sent.append((plural, aggregate_id, action))
        assert self.keys.setdefault(key, (plural, aggregate_id, action)) == (plural, aggregate_id, action)
        if self.unanswered:
            self.unanswered -= 1
            if self.unanswered % 2:
                await self._command(plural, aggregate_id, action, body, key)
            raise Unanswered("the connection broke")
        answer = self.refuse(plural, aggregate_id, action)
        if answer is None:
            answer = await self._command(plural, aggregate_id, action, body, key)
        await self.after("send", key)
        return answer

    async def _command(self, plural: str, aggregate_id: str, action: str, body: Mapping[str, Any], key: str) -> Answer:
        aggregate = self._aggregates[plural]
        (kind,) = [one for one in aggregate.commands if action == ("" if one.creates else one.action)]
        command = msgspec.convert(dict(body), kind.struct)
        while True:
            state, stored = None, await self.read_stream(aggregate.stream(aggregate_id))
            for one in stored:
                if decode_metadata(one).command_id == key:
                    return Answer(True)
                state = aggregate.evolve(state, self.codec.decode(one).event)
            try:
                events = aggregate.decide(command, state, CommandContext(aggregate_id, NOON))
            except RuleViolation as error:
                return Answer(False, 409, error.code, error.detail)
            except NoSuchAggregate as error:
                return Answer(False, 404, "not-found", str(error))
            except InvalidCommand as error:
                return Answer(False, 400, "invalid-command", str(error))
            metadata = EventMetadata(command_id=key)
            new = [self.codec.encode(event, metadata, str(uuid.uuid4())) for event in events]
            try:
                await self.append(aggregate.stream(aggregate_id), len(stored) - 1, new)
            except WrongExpectedRevision:
                continue
            return Answer(True)

    def events(self, stream: str) -> list[Any]:
        """What stands in a stream."""
        return [self.codec.decode(one).event for one in self.log if one.stream == stream]

    def instance(self, instance_id: str, process: str = "") -> Instance:
        """An instance as its stream tells it."""
        (known,) = [one for one in self.application.processes if process in ("", one.name)]
        instance = Instance(known, instance_id)
        for one in self.log:
            if one.stream == known.stream(instance_id):
                instance.take(one, self.codec)
        return instance

    @property
    def operations(self) -> InstanceOperations:
        """What operators can do."""
        return InstanceOperations(self, self.codec, self.application.processes)

    def record(self, instance_id: str) -> dict[str, Any]:
        """What the read store holds of an instance of the only process."""
        (process,) = self.application.processes
        return self.documents.documents(COLLECTION).get(f"{process.name}:{instance_id}", {})


class Manager:
    """A process manager over a world."""

    def __init__(self, world: World, **options: Any) -> None:
        settings = {"consumer_lease": 0.6, **{key: options.pop(key) for key in list(options) if "consumer" in key}}
        self.stop = asyncio.Event()
        around = Surroundings(
            world,
            world.codec,
            InstanceIndex(world.documents),
            world,
            Routes(world.application.aggregates),
            **{"interval": 0.02, "patience": 0.0, "delays": at_once, **options},
        )
        consumers = [ProcessConsumer(process, around) for process in world.application.processes]
        given = Settings.of(**settings)
        self.workload = ProcessWorkload(world.documents, consumers, given.consumers.partitions)
        self.coordinator: Coordinator = create_coordinator(
            "process_manager",
            self.workload,
            world.followed,
            world.codec,
            world.documents,
            given,
            self.stop,
            delays=at_once,
        )

    async def run(self) -> None:
        """Until it is stopped."""
        try:
            await self.coordinator.run()
        finally:
            await self.workload.close()


@asynccontextmanager
async def managing(world: World, **options: Any) -> AsyncIterator[Manager]:
    """A process manager for the block; at its end it is stopped in an orderly way."""
    manager = Manager(world, **options)
    task = asyncio.create_task(manager.run())
    try:
        yield manager
    finally:
        manager.stop.set()
        await asyncio.wait_for(task, 30)


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


async def dead(_operation: str, _what: str) -> None:
    """Nothing that a dead process still begins takes effect."""
    await asyncio.Event().wait()


class Crash:
    """The process ends at one of its operations, before or after that took effect."""

    def __init__(self, choose: random.Random, most: int = 120) -> None:
        self.came = asyncio.Event()
        self._left = choose.randrange(1, most)

    async def __call__(self, _operation: str, _what: str) -> None:
        self._left -= 1
        if self._left <= 0:
            self.came.set()
            await asyncio.Event().wait()


async def life(world: World, done: Callable[[], bool], choose: random.Random, **options: Any) -> bool:
    """A process manager that dies somewhere on the way, unless all is done first; whether it was."""
    crash = Crash(choose)
    stores = (world, world.documents)
    for one in stores:
        one.before, one.after = (crash, nothing) if choose.random() < 0.5 else (nothing, crash)
    manager = Manager(world, **options)
    task = asyncio.create_task(manager.run())
    ended = asyncio.create_task(until(done))
    died = asyncio.create_task(crash.came.wait())
    await asyncio.wait({task, ended, died}, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), task.exception()
    is_done = ended.done() and ended.exception() is None
    for one in stores:
        one.before = dead
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for other in others:
            other.cancel()
        await asyncio.wait(others, timeout=0.01)
    for one in stores:
        one.before = one.after = nothing
    world.followed = ScriptedLog(world.followed.events)
    return is_done
