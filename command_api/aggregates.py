"""The aggregates of the write side: folded from their streams, and cached for the next command."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from prometheus_client import Counter

from domain.model.aggregate import Aggregate
from infrastructure.event_codec import EventCodec, decode_metadata
from infrastructure.event_store import NO_STREAM, EventStore, StoredEvent

_LOADS = Counter("eventfold_aggregate_loads_total", "Aggregates loaded, by where from", ["source"])
_FROM_CACHE, _FROM_STREAM = _LOADS.labels("cache"), _LOADS.labels("stream")


class CommandResult(Struct, frozen=True, gc=False):
    """The result of a command: its stream's revision and the commit position of its last event."""

    revision: int
    position: int
    command_hash: str = ""


class LoadedAggregate(Struct, frozen=True):
    """An aggregate at a revision (NO_STREAM: not there), with the results of the commands that brought it there.

    `fresh` says that the stream was read for the current command, so that a refusal may rely on it.
    """

    state: Any = None
    revision: int = NO_STREAM
    results: Mapping[str, CommandResult] = {}
    fresh: bool = False


class Aggregates:
    """Loads aggregates, caching the `capacity` most recently used. One per process; not shared between threads."""

    def __init__(self, store: EventStore, codec: EventCodec, capacity: int) -> None:
        self._store = store
        self._codec = codec
        self._capacity = capacity
        self._cached: OrderedDict[str, LoadedAggregate] = OrderedDict()

    def cached(self, stream: str) -> LoadedAggregate | None:
        """The cached aggregate, which may be behind its stream."""
        loaded = self._cached.get(stream)
        if loaded is not None:
            self._cached.move_to_end(stream)
            _FROM_CACHE.inc()
        return loaded

    async def load(self, aggregate: Aggregate, stream: str) -> LoadedAggregate:
        """The aggregate as of now: the cached one plus the new events of its stream.

        Raises EventStoreUnavailable or StreamDeleted; UnknownEventType or UndecodableEvent where the stream has
        an event that this code can't read: it must not decide on half a history.
        """
        base = self._cached.get(stream) or LoadedAggregate()
        tail = await self._store.read_stream(stream, from_revision=base.revision + 1)
        _FROM_STREAM.inc()
        loaded = self._fold(aggregate, base, tail)
        self.cache(stream, loaded)
        return LoadedAggregate(loaded.state, loaded.revision, loaded.results, fresh=True)

    def cache(self, stream: str, loaded: LoadedAggregate) -> None:
        """Caches the aggregate unless a newer one is cached already."""
        cached = self._cached.get(stream)
        if loaded.revision == NO_STREAM or (cached is not None and cached.revision >= loaded.revision):
            return
        self._cached[stream] = LoadedAggregate(loaded.state, loaded.revision, loaded.results)
        self._cached.move_to_end(stream)
        while len(self._cached) > self._capacity:
            self._cached.popitem(last=False)

    def _fold(self, aggregate: Aggregate, base: LoadedAggregate, tail: list[StoredEvent]) -> LoadedAggregate:
        state, revision, results = base.state, base.revision, dict(base.results)
        for stored in tail:
            state = aggregate.evolve(state, self._codec.decode(stored).event)
            revision = stored.revision
            metadata = decode_metadata(stored)
            if metadata.command_id is not None:
                results[metadata.command_id] = CommandResult(revision, stored.position, metadata.command_hash or "")
        return LoadedAggregate(state, revision, results)
