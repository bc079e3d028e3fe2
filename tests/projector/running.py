"""Runs the engine over a log and a store in memory, without a pause anywhere."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from infrastructure.event_codec import EventCodec
from infrastructure.settings import Settings
from infrastructure.view_registry import ViewRecord
from projector.builds.catalogue import ViewCatalogue
from projector.builds.pausing import SwitchTimes
from projector.http.responses import Status
from projector.http.status import ViewStatusReader
from projector.process import ProjectorProcess, create_projector_process
from read_models.model.view import View
from subscriptions.coordination.plain_workload import ConsumerRecords
from subscriptions.following.follower import Follower
from subscriptions.operating.dead_letter_desk import DeadLetterDesk
from subscriptions.operating.dead_letters import DeadLetterOperations
from subscriptions.operating.plain_catalogue import PlainCatalogue
from subscriptions.operating.status import StatusReader
from tests.projector.lamp_rooms import LAMP_ROOMS
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import all_done, at_once
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.memory_event_store import MemoryEventStore
from tests.support.tiny import TINY, TINY_CODEC
from tests.support.tiny.logs import fold_of

VIEWS = (*TINY.views, LAMP_ROOMS)


class RunningProjector:
    """A process of the projector over stores in memory, and what tests ask of it."""

    def __init__(self, process: ProjectorProcess, log: ScriptedLog, store: Any) -> None:
        self.process = process
        self.coordinator = process.coordinator
        self.registry = process.workload.registry
        self.changed = process.coordinator.changed
        self.heartbeat = process.coordinator.heartbeat
        self.log = log
        self.store = store

    @property
    def followers(self) -> list[Follower]:
        """What folds builds at the moment."""
        return self.coordinator.followers.running

    @property
    def records(self) -> Mapping[str, ViewRecord]:
        """The views' records as they were read last."""
        return self.process.workload.records

    @property
    def view_names(self) -> Sequence[str]:
        """The views that it knows."""
        return self.process.workload.names

    @property
    def trouble(self) -> str | None:
        """What keeps the coordinator from its work."""
        return self.coordinator.trouble

    async def status(self) -> Status:
        """What operators are told."""
        reader = StatusReader(self.coordinator, self.store, self.log)
        return await ViewStatusReader(self.process.workload, reader, self._others).read()

    def dead_letters(self, *, timeout: float = 10, asked: asyncio.Event | None = None) -> DeadLetterOperations:
        """The operators' operations on what is parked."""
        catalogue = ViewCatalogue(self.registry, self.view_names, self._others)
        changed = asked or self.changed
        return DeadLetterDesk(self.store, catalogue, changed, MemoryEventStore(), timeout=timeout).letters

    @property
    def _others(self) -> PlainCatalogue:
        return PlainCatalogue(ConsumerRecords(self.store))


@asynccontextmanager
async def engine_over(
    log: ScriptedLog,
    store: Any,
    views: Sequence[View] = VIEWS,
    *,
    codec: EventCodec = TINY_CODEC,
    idle_check: float = 5.0,
    previous_pause: float = 0.1,
    live_pause: float = 0.05,
    **settings: Any,
) -> AsyncIterator[RunningProjector]:
    """A running process for the block; at its end it is stopped in an orderly way."""
    stop = asyncio.Event()
    given = Settings.of(**{"consumer_lease": 0.6, **settings})
    times = SwitchTimes(previous_pause=previous_pause, live_pause=live_pause, cutover_timeout=3.0, retry_pause=0.2)
    process = create_projector_process(
        log, codec, store, views, given, stop, times=times, idle_check=idle_check, delays=at_once
    )
    task = asyncio.create_task(process.coordinator.run())
    try:
        yield RunningProjector(process, log, store)
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def project_all(log: ScriptedLog, store: Any, views: Sequence[View] = VIEWS, **options: Any) -> RunningProjector:
    """Runs until every event of the log has been dealt with, or every view was stopped; then stops."""
    async with engine_over(log, store, views, **options) as engine:
        await all_done(log, engine, len(views))
    return engine


async def folded_up_to(store: MemoryReadStore, end: int, views: Sequence[View] = VIEWS) -> None:
    """Waits until every partition of every live build has a checkpoint at `end`, whoever folds it."""
    async with asyncio.timeout(120):
        while not all(_level(store, view, end) for view in views):
            await asyncio.sleep(0.001)


def _level(store: MemoryReadStore, view: View, end: int) -> bool:
    record = store.documents("view_records").get(view.name)
    if record is None or end < 0:
        return record is not None
    checkpoints = store.documents("checkpoints")
    keys = [
        f"{record['live']['collection']}:{record['partition_epoch']}:{number}" for number in range(record["partitions"])
    ]
    return all(key in checkpoints and checkpoints[key]["_position"] >= end for key in keys)


def projection_of(engine: RunningProjector, view: View) -> Follower:
    """What the engine folds for the view's live build."""
    return next(one for one in engine.followers if one.target == view.collection)


def assert_folded(store: MemoryReadStore, log: ScriptedLog, views: Sequence[View] = VIEWS) -> None:
    """Every document, parked event and checkpoint is what a plain fold of the whole log comes to."""
    parked = store.documents("parked_events")
    records = store.documents("view_records")
    checkpoints = store.documents("checkpoints")
    for view in views:
        documents, positions = fold_of(view, log.events)
        record = records[view.name]
        collection = record["live"]["collection"]
        assert store.documents(collection) == documents
        assert {one["position"] for one in parked.values() if one["target"] == collection} == positions
        if log.events:
            keys = [
                f"{collection}:{record['partition_epoch']}:{partition}" for partition in range(record["partitions"])
            ]
            assert {checkpoints[key]["_position"] for key in keys} == {log.events[-1].position}
