"""What an aggregate is folded from: all its events, or a snapshot and the events after it."""

from collections.abc import Sequence
from typing import Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from domain.model.aggregate import Aggregate
from infrastructure.aggregate_streams.snapshot import Snapshot, usable
from infrastructure.aggregate_streams.wholeness import MetadataReads, begins, require_not_deleted, require_whole
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted, StreamSlice
from infrastructure.evidence.chain import head_after

log = structlog.get_logger(__name__)

SNAPSHOTS_KEPT = 3
"""How many snapshots the companion stream of an aggregate keeps."""


class StreamReads(MetadataReads, Protocol):
    """See infrastructure.event_store.EventStore."""

    async def read_slice(self, stream: str, from_revision: int = ..., limit: int = ...) -> StreamSlice: ...

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]: ...


class History(Struct, frozen=True):
    """`first` is the lowest revision that must still be there for the same history to be read again. Without events and
    without a snapshot there is no such aggregate."""

    events: list[StoredEvent]
    first: int = 0
    snapshot: Snapshot | None = None


async def read_history(store: StreamReads, codec: EventCodec, aggregate: Aggregate, aggregate_id: str) -> History:
    """Raises StreamDeleted, HistoryTruncated, UnknownEventType or UndecodableEvent, and EventStoreUnavailable."""
    stream = aggregate.stream(aggregate_id)
    for snapshot in await _snapshots(store, aggregate, aggregate_id):
        history = await _after(store, codec, aggregate, snapshot)
        if history is not None:
            return history
    read = await store.read_slice(stream)
    if not read.found:
        await require_not_deleted(store, stream)
        return History([])
    require_whole(aggregate, codec, stream, read.events)
    return History(read.events, read.events[0].revision)


async def snapshot_before(
    store: StreamReads, aggregate: Aggregate, aggregate_id: str, events: Sequence[StoredEvent], version: int
) -> Snapshot | None:
    """The newest snapshot that is not newer than `version` and reaches up to `events`, the first that are left of the
    stream; None when there is none. Raises EventStoreUnavailable."""
    for snapshot in await _snapshots(store, aggregate, aggregate_id):
        if snapshot.revision <= version and events[0].revision <= snapshot.revision + 1:
            at = snapshot.revision - events[0].revision
            if at < 0 or (at < len(events) and _is_of(snapshot, events[at])):
                return snapshot
    return None


async def _snapshots(store: StreamReads, aggregate: Aggregate, aggregate_id: str) -> list[Snapshot]:
    if aggregate.snapshot_every is None:
        return []
    companion = aggregate.snapshot_stream(aggregate_id)
    try:
        stored = await store.read_newest(companion, SNAPSHOTS_KEPT)
    except StreamDeleted:
        return []
    return usable(aggregate, aggregate.stream(aggregate_id), stored)


async def _after(store: StreamReads, codec: EventCodec, aggregate: Aggregate, snapshot: Snapshot) -> History | None:
    """The history from the snapshot on; None when the stream does not go on from it."""
    read = await store.read_slice(snapshot.stream, snapshot.revision)
    if not read.events:
        # Either all of the stream has been cut off, or it never came as far as this snapshot.
        cut_off = read.found and not (await store.read_slice(snapshot.stream, 0, 1)).events
        return History([], snapshot.revision + 1, snapshot) if cut_off else None
    first = read.events[0]
    if first.revision == snapshot.revision:
        if not _is_of(snapshot, first):
            return None
        # An older version of the code took snapshots without it.
        chain = head_after(snapshot.chain, [first])
        return History(read.events[1:], first.revision, replace(snapshot, chain=chain))
    if begins(aggregate, codec, first):
        return History(read.events, first.revision)
    return History(read.events, first.revision, snapshot) if first.revision == snapshot.revision + 1 else None


def _is_of(snapshot: Snapshot, event: StoredEvent) -> bool:
    if event.id == snapshot.event_id:
        return True
    log.warning("a snapshot of another history is ignored", stream=event.stream, revision=event.revision)
    return False
