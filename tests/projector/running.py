"""Runs the engine over a log and a store in memory, without a pause anywhere."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from infrastructure.settings import Settings
from projector.engine import Engine
from projector.feeding.projection import Projection
from read_models.model.view import View
from tests.projector.logs import fold_of
from tests.projector.memory_read_store import MemoryReadStore
from tests.projector.scripted_log import ScriptedLog
from tests.support.bundled import CODEC, VIEWS


def at_once() -> Iterator[float]:
    """No pause between attempts."""
    return itertools.repeat(0.0)


@asynccontextmanager
async def engine_over(
    log: ScriptedLog,
    store: Any,
    views: Sequence[View] = VIEWS,
    *,
    idle_check: float = 5.0,
    settling: float = 0.1,
    following: float = 0.05,
    **settings: Any,
) -> AsyncIterator[Engine]:
    """A running engine for the block; at its end it is stopped in an orderly way."""
    stop = asyncio.Event()
    given = Settings(**{"consumer_lease": 0.6, **settings})
    engine = Engine(
        log,
        store,
        views,
        CODEC,
        given,
        stop,
        idle_check=idle_check,
        settling=settling,
        following=following,
        delays=at_once,
    )
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def project_all(log: ScriptedLog, store: Any, views: Sequence[View] = VIEWS, **options: Any) -> Engine:
    """Runs until every event of the log has been dealt with, or every view was stopped; then stops."""
    async with engine_over(log, store, views, **options) as engine:
        await all_done(log, engine, len(views))
    return engine


async def all_done(log: ScriptedLog, engine: Engine, views: int) -> None:
    """Waits until every view of the engine has come to the end of the log, or was stopped by its own fault."""
    async with asyncio.timeout(10):
        while not (
            len(engine.projections) >= views
            and all(
                one.broken is not None or (one.is_level and one.delivered >= log.end and log.is_drained)
                for one in engine.projections
            )
        ):
            await asyncio.sleep(0)


async def folded_up_to(store: MemoryReadStore, end: int, views: Sequence[View] = VIEWS) -> None:
    """Waits until every partition of every live build has a checkpoint at `end`, whoever folds it."""
    async with asyncio.timeout(20):
        while not all(_level(store, view, end) for view in views):
            await asyncio.sleep(0.001)


def _level(store: MemoryReadStore, view: View, end: int) -> bool:
    record = store.documents("view_records").get(view.name)
    if record is None or end < 0:
        return record is not None
    checkpoints = store.documents("checkpoints")
    keys = [f"{record['live']['collection']}:{record['layout']}:{number}" for number in range(record["partitions"])]
    return all(key in checkpoints and checkpoints[key]["_position"] >= end for key in keys)


def projection_of(engine: Engine, view: View) -> Projection:
    """What the engine folds for the view's live build."""
    return next(one for one in engine.projections if one.collection == view.collection)


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
        assert {one["position"] for one in parked.values() if one["collection"] == collection} == positions
        if log.events:
            keys = [f"{collection}:{record['layout']}:{partition}" for partition in range(record["partitions"])]
            assert {checkpoints[key]["_position"] for key in keys} == {log.events[-1].position}
