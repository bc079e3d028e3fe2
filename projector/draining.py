"""Waiting until the views have folded what the log holds: for tests, scripts, and operators."""

import asyncio
from collections.abc import Mapping

from infrastructure.read_store import StoredDocument
from infrastructure.view_registry import CHECKPOINTS, ViewRecord, checkpoint_keys, low_watermark
from projector.engine import Engine

_BETWEEN_LOOKS = 0.02


async def drained(engine: Engine, *, timeout: float = 10.0) -> int | None:
    """Waits until every live view has folded all that the log held when this was called, whichever process folds it;
    answers that position (None: the log is empty).

    A view that was stopped by its own fault is not waited for. `timeout` is in seconds.

    Raises:
        TimeoutError: time is up.
        EventStoreUnavailable, ReadStoreUnavailable, ReadStoreRefused: a store can't be asked.
    """
    async with asyncio.timeout(timeout):
        end = await engine.log.last_position()
        while True:
            if await _has_come_to(engine, end):
                return end
            await asyncio.sleep(_BETWEEN_LOOKS)


async def _has_come_to(engine: Engine, end: int | None) -> bool:
    records = await engine.registry.load(engine.view_names)
    if end is None or len(records) < len(engine.view_names):
        return end is None
    keys = [key for one in records.values() for key in checkpoint_keys(one.live, one.layout, one.partitions)]
    found = await engine.store.load(CHECKPOINTS, keys)
    stopped = {
        report.shard for member in engine.heart.alive.values() for report in member.shards if report.state == "stopped"
    }
    stopped |= {report.shard for report in engine.workers.reports() if report.state == "stopped"}
    return all(_level(record, found, end) or _stopped(record, stopped) for record in records.values())


def _level(record: ViewRecord, found: Mapping[str, StoredDocument], end: int) -> bool:
    low = low_watermark(record.live, record.layout, record.partitions, found)
    return low is not None and low >= end


def _stopped(record: ViewRecord, stopped: set[str]) -> bool:
    return any(key in stopped for key in checkpoint_keys(record.live, record.layout, record.partitions))
