"""Runs consumers over a log and a store in memory, without a pause anywhere."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from infrastructure.event_codec import EventCodec
from infrastructure.settings import Settings
from subscriptions.consumer import Consumer
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.coordination.plain_workload import ConsumerRecords, PlainWorkload
from subscriptions.following.follower import Follower
from subscriptions.http.consumers import consumer_status
from subscriptions.http.responses import ConsumerStatus
from subscriptions.operating.dead_letter_desk import DeadLetterDesk
from subscriptions.operating.dead_letters import DeadLetterOperations
from subscriptions.operating.draining import Draining
from subscriptions.operating.plain_catalogue import PlainCatalogue
from subscriptions.operating.status import StatusReader, StatusSnapshot
from subscriptions.process import create_coordinator
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.memory_event_store import MemoryEventStore
from tests.support.tiny import TINY_CODEC


def at_once() -> Iterator[float]:
    """No pause between attempts."""
    return itertools.repeat(0.0)


class Following(Protocol):
    """Whatever runs followers."""

    @property
    def followers(self) -> Sequence[Follower]: ...


async def all_done(log: ScriptedLog, engine: Following, consumers: int) -> None:
    """Waits until so many consumers have come to the end of the log, or were stopped by their own fault."""
    async with asyncio.timeout(60):
        while not (
            len(engine.followers) >= consumers
            and all(
                one.broken is not None or (_is_checkpointed(one) and one.delivered >= log.end and log.is_drained)
                for one in engine.followers
            )
        ):
            await asyncio.sleep(0)


def _is_checkpointed(follower: Follower) -> bool:
    """Whether all that has come to it is handled, and in its checkpoint."""
    return (-1 if follower.position is None else follower.position) >= follower.delivered


class RunningConsumers:
    """A process of plain consumers over stores in memory, and what tests ask of it."""

    def __init__(
        self, coordinator: Coordinator, workload: PlainWorkload, log: ScriptedLog, store: MemoryReadStore
    ) -> None:
        self.coordinator = coordinator
        self.workload = workload
        self.heartbeat = coordinator.heartbeat
        self.log = log
        self.store = store
        self.audit_log = MemoryEventStore()
        self._reader = StatusReader(coordinator, store, log)

    @property
    def followers(self) -> list[Follower]:
        """What follows the log at the moment."""
        return self.coordinator.followers.running

    @property
    def trouble(self) -> str | None:
        """What keeps the coordinator from its work."""
        return self.coordinator.trouble

    @property
    def catalogue(self) -> PlainCatalogue:
        """The consumers that this process and others have begun."""
        return PlainCatalogue(ConsumerRecords(self.store), self.workload.names)

    def follower(self, consumer: str) -> Follower | None:
        """What follows the log for a consumer here."""
        return next((one for one in self.followers if one.target == consumer), None)

    def dead_letters(self, *, timeout: float = 10, asked: asyncio.Event | None = None) -> DeadLetterOperations:
        """The operators' operations on what is parked."""
        return self.desk(timeout=timeout, asked=asked).letters

    def desk(self, *, timeout: float = 10, asked: asyncio.Event | None = None) -> DeadLetterDesk:
        """All that operators can do with what is parked."""
        changed = asked or self.coordinator.changed
        return DeadLetterDesk(self.store, self.catalogue, changed, self.audit_log, timeout=timeout)

    async def drained(self, *consumers: str, timeout: float = 10) -> int | None:
        """Waits as operators do."""
        return await Draining(self.coordinator, self.catalogue, self.store, self.log).drained(
            consumers, timeout=timeout
        )

    async def snapshot(self) -> StatusSnapshot:
        """What is known of every target that this process has found."""
        return await self._reader.snapshot(self.coordinator.targets, self.coordinator.targets)

    async def status(self) -> ConsumerStatus:
        """What operators are told of the first consumer."""
        return consumer_status(await self.snapshot(), self.coordinator.targets[0])


def process_of(
    log: ScriptedLog,
    store: MemoryReadStore,
    consumers: Sequence[Consumer],
    stop: asyncio.Event,
    *,
    idle_check: float = 5.0,
    codec: EventCodec = TINY_CODEC,
    **settings: Any,
) -> RunningConsumers:
    """A process that is ready to run."""
    given = Settings.of(**{"consumer_lease": 0.6, **settings})
    workload = PlainWorkload(store, consumers, given.consumers.partitions)
    coordinator = create_coordinator(
        "counting", workload, log, codec, store, given, stop, idle_check=idle_check, delays=at_once
    )
    return RunningConsumers(coordinator, workload, log, store)


@asynccontextmanager
async def consuming(
    log: ScriptedLog, store: MemoryReadStore, *consumers: Consumer, **options: Any
) -> AsyncIterator[RunningConsumers]:
    """A running process for the block; at its end it is stopped in an orderly way."""
    stop = asyncio.Event()
    engine = process_of(log, store, consumers, stop, **options)
    task = asyncio.create_task(engine.coordinator.run())
    try:
        yield engine
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def consume_all(
    log: ScriptedLog, store: MemoryReadStore, *consumers: Consumer, **options: Any
) -> RunningConsumers:
    """Runs until every event of the log has been dealt with, or every consumer was stopped; then stops."""
    async with consuming(log, store, *consumers, **options) as engine:
        await all_done(log, engine, len(consumers))
    return engine


async def everybody_at(store: MemoryReadStore, end: int, *consumers: str) -> None:
    """Waits until every partition of the consumers has a checkpoint at `end`, whoever works on it."""
    async with asyncio.timeout(30):
        while not all(_level(store, consumer, end) for consumer in consumers):
            await asyncio.sleep(0.001)


def _level(store: MemoryReadStore, consumer: str, end: int) -> bool:
    record = store.documents("consumer_records").get(consumer)
    if record is None or end < 0:
        return record is not None
    checkpoints = store.documents("checkpoints")
    keys = [f"{consumer}:1:{partition}" for partition in range(record["partitions"])]
    return all(key in checkpoints and checkpoints[key]["_position"] >= end for key in keys)
