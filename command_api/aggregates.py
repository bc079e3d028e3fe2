"""The aggregates of the write side: folded from their streams, and cached for the next command."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Gauge

from command_api.snapshot_writer import SnapshotWriter
from domain.model.aggregate import Aggregate
from infrastructure.aggregate_streams import KeptCommand, Snapshot, read_history
from infrastructure.event_codec import EventCodec, decode_metadata
from infrastructure.event_store import NO_STREAM, EventStore, StoredEvent, StreamDeleted
from infrastructure.evidence.chain import head_after
from infrastructure.evidence.verifier import Link

_LOADS = Counter("eventfold_aggregate_loads_total", "Aggregates loaded, by where from: cache, stream", ["source"])
_FROM_CACHE, _FROM_STREAM = _LOADS.labels("cache"), _LOADS.labels("stream")
_OUTDATED = Counter(
    "eventfold_aggregate_cache_outdated_total", "Cached aggregates that their stream no longer bears out"
)
_CACHED = Gauge("eventfold_aggregates_cached", "Aggregates in the cache")

# Up to so many events are read in one call to see that all are there; of more, the first and the last ones in two.
_READ_WHOLE = 16


class CommandResult(Struct, frozen=True, gc=False):
    """The result of a command: its stream's revision and the commit position of its last event. `actor` is whose it
    was, "" where that is not known or it can't be repeated."""

    revision: int
    position: int
    command_hash: str = ""
    actor: str = ""


class LoadedAggregate(Struct, frozen=True):
    """An aggregate at a revision (NO_STREAM: not there), with the results of the commands that brought it there.

    `read` says that the stream was read for the current command, so that a refusal may rely on it. `deleted`: it was
    there once. `first` is the lowest revision that the state rests on; a check reads from `read_from`, one before it
    where the state rests on nothing older, because that one must be gone still. `event_id` and `position` are those of
    the last event; `snapshot_revision` is where the last snapshot was taken (NO_STREAM: never). `chain` is the link
    that the next event goes on from.
    """

    state: Any = None
    revision: int = NO_STREAM
    results: Mapping[str, CommandResult] = {}
    read: bool = False
    deleted: bool = False
    first: int = 0
    read_from: int = 0
    event_id: str = ""
    position: int = -1
    snapshot_revision: int = NO_STREAM
    chain: Link | None = None


class Aggregates:
    """Loads aggregates, caching the `capacity` most recently used. One per process; not shared between threads."""

    def __init__(self, store: EventStore, codec: EventCodec, capacity: int) -> None:
        self._store = store
        self._codec = codec
        self._capacity = capacity
        self._cached: OrderedDict[str, LoadedAggregate] = OrderedDict()
        self._snapshots = SnapshotWriter(store)
        _CACHED.set_function(lambda: len(self._cached))

    def has(self, stream: str) -> bool:
        """Whether the aggregate is cached."""
        return stream in self._cached

    async def load(self, aggregate: Aggregate, aggregate_id: str) -> LoadedAggregate:
        """The aggregate as of now, by its stream.

        What is cached only saves the fold: the stream is read, and if it does not begin and go on as it did when the
        aggregate was cached (it is shorter, cut off, deleted or another one), everything is read anew.

        Raises EventStoreUnavailable, or StreamDeleted when it is deleted for good; HistoryTruncated when its beginning
        is gone and no snapshot stands for it; UnknownEventType or UndecodableEvent where the stream has an event that
        this code can't read: it must not decide on half a history.
        """
        stream = aggregate.stream(aggregate_id)
        cached = self._cached.get(stream)
        tail = None if cached is None else await self._tail(stream, cached)
        if cached is not None and tail is not None:
            _FROM_CACHE.inc()
            loaded = await self._fold(aggregate, cached, tail)
        else:
            if self._cached.pop(stream, None) is not None:
                _OUTDATED.inc()
            _FROM_STREAM.inc()
            loaded = await self._load(aggregate, aggregate_id)
        return replace(self.cache(aggregate, aggregate_id, loaded), read=True)

    def cache(self, aggregate: Aggregate, aggregate_id: str, loaded: LoadedAggregate) -> LoadedAggregate:
        """Caches the aggregate if it is there, and has a snapshot taken where one is due; returns what is cached."""
        if loaded.revision == NO_STREAM:
            return loaded
        every = aggregate.snapshot_every
        if every is not None and loaded.revision - loaded.snapshot_revision >= every:
            self._snapshots.write(aggregate, aggregate_id, _snapshot(aggregate.stream(aggregate_id), loaded))
            loaded = replace(loaded, snapshot_revision=loaded.revision)
        stream = aggregate.stream(aggregate_id)
        self._cached[stream] = loaded
        self._cached.move_to_end(stream)
        while len(self._cached) > self._capacity:
            self._cached.popitem(last=False)
        return loaded

    async def close(self) -> None:
        """Waits for the snapshots that are being written."""
        await self._snapshots.close()

    async def _tail(self, stream: str, cached: LoadedAggregate) -> list[StoredEvent] | None:
        """The events after the cached ones; None when those can't be found in the stream as they were."""
        at = cached.revision - cached.first
        if at < 0:
            return None
        try:
            if at < _READ_WHOLE:
                events = (await self._store.read_slice(stream, cached.read_from)).events
                first = events[0].revision if events else NO_STREAM
            else:
                head, rest = await asyncio.gather(
                    self._store.read_slice(stream, cached.read_from, 1), self._store.read_slice(stream, cached.revision)
                )
                events, at = rest.events, 0
                first = head.events[0].revision if head.events else NO_STREAM
        except StreamDeleted:
            return None
        if first != cached.first or len(events) <= at:
            return None
        last = events[at]
        same = (last.revision, last.id, last.position) == (cached.revision, cached.event_id, cached.position)
        return events[at + 1 :] if same else None

    async def _load(self, aggregate: Aggregate, aggregate_id: str) -> LoadedAggregate:
        try:
            history = await read_history(self._store, self._codec, aggregate, aggregate_id)
        except StreamDeleted:
            return LoadedAggregate(deleted=True)
        base = LoadedAggregate(first=history.first, read_from=max(0, history.first - 1))
        if history.snapshot is not None:
            base = _from_snapshot(history.snapshot, history.first)
        return await self._fold(aggregate, base, history.events)

    async def _fold(self, aggregate: Aggregate, base: LoadedAggregate, tail: list[StoredEvent]) -> LoadedAggregate:
        if not tail:
            return base
        state, results = base.state, dict(base.results)
        decode = await self._codec.decoder(tail)
        for stored in tail:
            state = aggregate.evolve(state, decode(stored).event)
            metadata = decode_metadata(stored)
            if metadata.command_id is not None:
                whose = (metadata.command_hash, metadata.actor or "") if metadata.command_hash else ()
                result = CommandResult(stored.revision, stored.position, *whose)
                results[metadata.command_id] = result
        last = tail[-1]
        return replace(
            base,
            state=state,
            revision=last.revision,
            results=results,
            event_id=last.id,
            position=last.position,
            chain=head_after(base.chain, tail),
        )


def _from_snapshot(snapshot: Snapshot, first: int) -> LoadedAggregate:
    results = {
        one.command_id: CommandResult(one.revision, one.position, one.command_hash, one.actor)
        for one in snapshot.commands
    }
    return LoadedAggregate(
        state=snapshot.state,
        revision=snapshot.revision,
        results=results,
        first=first,
        read_from=first,
        event_id=snapshot.event_id,
        position=snapshot.position,
        snapshot_revision=snapshot.revision,
        chain=snapshot.chain,
    )


def _snapshot(stream: str, loaded: LoadedAggregate) -> Snapshot:
    # Only a command with a key can be repeated by its client, and only such a command has a hash.
    kept = (
        KeptCommand(command_id, result.command_hash, result.revision, result.position, result.actor)
        for command_id, result in loaded.results.items()
        if result.command_hash
    )
    return Snapshot(stream, loaded.revision, loaded.event_id, loaded.position, loaded.state, tuple(kept), loaded.chain)
