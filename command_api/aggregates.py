"""Aggregates as the write side holds them: folded from their streams, and kept for the next command."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from prometheus_client import Counter

from domain.aggregate import Aggregate
from infrastructure.event_codec import decode_event, decode_metadata
from infrastructure.event_store import NO_STREAM, EventStore, StoredEvent

_LOADS = Counter("eventfold_aggregate_loads_total", "Aggregates loaded, by where from", ["source"])
_FROM_CACHE, _FROM_STREAM = _LOADS.labels("cache"), _LOADS.labels("stream")


class Receipt(Struct, frozen=True, gc=False):
    """What a command was answered: its stream's revision and the commit position of its last event."""

    revision: int
    position: int
    command_hash: str | None = None


class Loaded(Struct, frozen=True):
    """An aggregate at a revision (NO_STREAM: not there), with the receipts of the commands that brought it there.

    `fresh` says that the stream was read for the command at hand, so that a refusal may rest on it.
    """

    state: Any = None
    revision: int = NO_STREAM
    receipts: Mapping[str, Receipt] = {}
    fresh: bool = False


class Aggregates:
    """Loads aggregates, keeping the `capacity` most recently used. One per process; not shared between threads."""

    def __init__(self, store: EventStore, capacity: int) -> None:
        self._store = store
        self._capacity = capacity
        self._kept: OrderedDict[str, Loaded] = OrderedDict()

    def kept(self, stream: str) -> Loaded | None:
        """The aggregate as it was last seen here, perhaps behind its stream."""
        loaded = self._kept.get(stream)
        if loaded is not None:
            self._kept.move_to_end(stream)
            _FROM_CACHE.inc()
        return loaded

    async def load(self, aggregate: Aggregate, stream: str) -> Loaded:
        """The aggregate as its stream has it now: what is kept, topped up from the stream's tail.

        Raises EventStoreUnavailable or StreamDeleted; UnknownEventType or UndecodableEvent where the stream holds
        what this code can't read: it must not decide on half a history.
        """
        base = self._kept.get(stream) or Loaded()
        tail = await self._store.read_stream(stream, from_revision=base.revision + 1)
        _FROM_STREAM.inc()
        loaded = _fold(aggregate, base, tail)
        self.keep(stream, loaded)
        return Loaded(loaded.state, loaded.revision, loaded.receipts, fresh=True)

    def keep(self, stream: str, loaded: Loaded) -> None:
        """Keeps the aggregate unless a newer one is kept already."""
        known = self._kept.get(stream)
        if loaded.revision == NO_STREAM or (known is not None and known.revision >= loaded.revision):
            return
        self._kept[stream] = Loaded(loaded.state, loaded.revision, loaded.receipts)
        self._kept.move_to_end(stream)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


def _fold(aggregate: Aggregate, base: Loaded, tail: list[StoredEvent]) -> Loaded:
    state, revision, receipts = base.state, base.revision, dict(base.receipts)
    for stored in tail:
        state = aggregate.evolve(state, decode_event(stored).event)
        revision = stored.revision
        metadata = decode_metadata(stored)
        if metadata.command_id is not None:
            receipts[metadata.command_id] = Receipt(revision, stored.position, metadata.command_hash)
    return Loaded(state, revision, receipts)
