"""Runs the engine over a log and a store in memory, without a pause anywhere."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from infrastructure.settings import Settings
from projector.engine import Engine
from projector.service import create_engine
from read_models.view import View
from read_models.views import VIEWS
from tests.projector.logs import fold_of
from tests.projector.memory_read_store import MemoryReadStore
from tests.projector.scripted_log import ScriptedLog


def at_once() -> Iterator[float]:
    """No pause between attempts."""
    return itertools.repeat(0.0)


@asynccontextmanager
async def engine_over(
    log: ScriptedLog, store: Any, views: Sequence[View] = VIEWS, *, cache: int = 20_000, batch: int = 8192
) -> AsyncIterator[Engine]:
    """A running engine for the block; at its end it is stopped in an orderly way."""
    stop = asyncio.Event()
    settings = Settings(projector_cache=cache, projector_batch=batch)
    engine = create_engine(log, store, views, settings, stop, at_once)
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def project_all(log: ScriptedLog, store: Any, views: Sequence[View] = VIEWS, **options: int) -> Engine:
    """Runs until every event of the log has been dealt with, or every view was stopped; then stops."""
    async with engine_over(log, store, views, **options) as engine, asyncio.timeout(10):
        while not log.is_drained and any(one.broken is None for one in engine.projections):
            await asyncio.sleep(0)
    return engine


def assert_folded(store: MemoryReadStore, log: ScriptedLog, views: Sequence[View] = VIEWS) -> None:
    """Every document, parked event and checkpoint is what a plain fold of the whole log comes to."""
    parked = store.documents("parked_events")
    checkpoints = store.documents("checkpoints")
    for view in views:
        documents, positions = fold_of(view, log.events)
        assert store.documents(view.collection) == documents
        assert {one["position"] for one in parked.values() if one["collection"] == view.collection} == positions
        if log.events:
            assert checkpoints[view.collection]["_position"] == log.events[-1].position
