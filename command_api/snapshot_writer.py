"""Writes snapshots beside the commands: none of them waits for one, and none fails because of one."""

import asyncio

import structlog
from prometheus_client import Counter

from domain.model.aggregate import Aggregate
from infrastructure.aggregate_streams import Snapshot, new_snapshot
from infrastructure.aggregate_streams.history import SNAPSHOTS_KEPT
from infrastructure.event_store import ANY_REVISION, EventStore, metadata_stream
from infrastructure.event_store.stream_metadata import max_count

log = structlog.get_logger(__name__)

_SNAPSHOTS = Counter(
    "eventfold_aggregate_snapshots_total", "Snapshots of aggregates, by outcome: written, failed, left_out", ["outcome"]
)
_WRITTEN, _FAILED, _LEFT_OUT = (_SNAPSHOTS.labels(outcome) for outcome in ("written", "failed", "left_out"))

# When the store is that slow, snapshots are left out: the next one is due a few events later.
_MOST_AT_ONCE = 64
# With the first snapshot the companion stream gets its bound; again later, in case that has been missed.
_BOUNDED_EVERY = 32
_CLOSING_TIMEOUT = 2.0


class SnapshotWriter:
    """One per process."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()

    def write(self, aggregate: Aggregate, aggregate_id: str, snapshot: Snapshot) -> None:
        """Begins to write a snapshot, and returns."""
        if len(self._tasks) >= _MOST_AT_ONCE:
            _LEFT_OUT.inc()
            return
        task = asyncio.create_task(self._write(aggregate, aggregate_id, snapshot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits a moment for what is being written."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_CLOSING_TIMEOUT)
        for task in set(self._tasks):
            task.cancel()

    async def _write(self, aggregate: Aggregate, aggregate_id: str, snapshot: Snapshot) -> None:
        companion = aggregate.snapshot_stream(aggregate_id)
        try:
            event = new_snapshot(aggregate, snapshot)
            written = await self._store.append(companion, ANY_REVISION, [event])
            if written.revision % _BOUNDED_EVERY == 0:
                await self._store.append(metadata_stream(companion), ANY_REVISION, [max_count(SNAPSHOTS_KEPT)])
        except Exception as error:  # whatever it is, the command is done, and the events are all that counts
            _FAILED.inc()
            log.warning("a snapshot could not be written", stream=snapshot.stream, error=repr(error))
        else:
            _WRITTEN.inc()
