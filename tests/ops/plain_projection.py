"""A view projected by the plainest of means into a store in memory, step by step, with its dead letters."""

from collections.abc import AsyncIterator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import bson
import msgspec

from infrastructure.event_codec import decode_event
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Held
from infrastructure.read_store.documents import held
from infrastructure.view_registry import CHECKPOINTS, VIEW_RECORDS, checkpoint_keys
from infrastructure.view_registry.transitions import first_record
from ops.verification.left_out import DISCARDED_EVENTS, PARKED_EVENTS
from read_models.view import View
from tests.projector.memory_read_store import MemoryReadStore

PARTITIONS = 2


class ScannedReadStore(MemoryReadStore):
    """The store in memory with a scan that sees the documents one by one, as they are by then."""

    async def scan(self, collection: str) -> AsyncIterator[tuple[str, Held]]:
        for key in list(self.collections.get(collection, {})):
            await self._operation("scan", collection, lambda: None)
            yield key, held(bson.decode(self.collections[collection][key]))

    def put(self, collection: str, document: dict[str, Any]) -> None:
        """Writes a document as it is, whatever is there."""
        self.collections.setdefault(collection, {})[document["_id"]] = bson.encode(document)


class Projected:
    """What a view comes to after some events: its documents as they are stored, and its dead letters by position."""

    def __init__(self, view: View, events: Sequence[StoredEvent], discarded: AbstractSet[int] = frozenset()) -> None:
        self._view = view
        self._folded: dict[str, tuple[int, Any]] = {}
        self.parked: dict[int, dict[str, Any]] = {}
        self._streams: set[str] = set()
        self._keys: set[str] = set()
        for stored in events:
            if stored.stream.startswith("order-") and stored.position not in discarded:
                self._project(stored)

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Every document, tombstones too, by its key."""
        return {key: _stored(key, *folded) for key, folded in self._folded.items()}

    def _project(self, stored: StoredEvent) -> None:
        try:
            recorded = decode_event(stored)
            if type(recorded.event) not in self._view.events:
                return
            if stored.stream in self._streams:
                raise LookupError
            keys = self._view.keys(recorded.event)
        except Exception:
            self._streams.add(stored.stream)
            self._park(stored, "stream", [stored.stream])
            return
        failed = []
        for key in keys:
            try:
                if key in self._keys:
                    raise LookupError
                document = self._view.fold(self._folded.get(key, (0, None))[1], recorded)
                self._folded[key] = (stored.position, document)
            except Exception:
                self._keys.add(key)
                failed.append(key)
        if failed:
            self._park(stored, "document", failed)

    def _park(self, stored: StoredEvent, kind: str, keys: list[str]) -> None:
        collection, position = self._view.collection, stored.position
        self.parked[position] = {
            "_id": f"{collection}:{position:020}",
            "_position": position,
            "collection": collection,
            "kind": kind,
            "parked_keys": keys,
            "stream": stored.stream,
            "position": position,
        }


def _stored(key: str, position: int, document: Any) -> dict[str, Any]:
    fields = {"_deleted": 1} if document is None else msgspec.to_builtins(document)
    return {"_id": key, "_position": position, **fields}


class PlainProjector:
    """Brings a view in a store along: every step is one write of the kind that a projector makes, in its order."""

    def __init__(self, view: View, events: Sequence[StoredEvent], store: ScannedReadStore) -> None:
        self.view = view
        self.events = events
        self.store = store
        self.done = 0
        self.discarded: set[int] = set()
        record = first_record(view.name, view.version, PARTITIONS, 0)
        self._checkpoint_keys = checkpoint_keys(record.live, record.layout, PARTITIONS)
        fields = msgspec.to_builtins(record)
        store.put(VIEW_RECORDS, {"_id": view.name, "_position": record.sequence, **fields})

    @property
    def now(self) -> Projected:
        """What the view comes to by now."""
        return Projected(self.view, self.events[: self.done], self.discarded)

    def steps(self, batch: int = 1) -> Iterator[None]:
        """Projects all that is left, so many events at a time; each `next` is a write."""
        while self.done < len(self.events):
            self.done += batch
            yield from self._documents()
            yield from self._dead_letters()
            for key in self._checkpoint_keys:
                reached = self.events[min(self.done, len(self.events)) - 1].position
                self.store.put(CHECKPOINTS, {"_id": key, "_position": reached})
                yield

    def project(self, number: int) -> None:
        """Projects so many events, with all that belongs to them."""
        left, self.events = self.events, self.events[: self.done + number]
        for _ in self.steps(max(1, number)):
            pass
        self.events = left
        self.done = min(self.done, len(left))

    def run_ahead(self, number: int) -> None:
        """Projects so many events of which the checkpoints do not know yet."""
        self.done = min(self.done + number, len(self.events))
        for _ in (*self._documents(), *self._dead_letters()):
            pass

    def discard(self, position: int) -> Iterator[None]:
        """Leaves an event out for good and replays what stood behind it."""
        self.discarded.add(position)
        record = {"_id": f"{self.view.name}:{position:020}", "_position": position}
        self.store.put(DISCARDED_EVENTS, {**record, "view": self.view.name, "position": position})
        yield
        yield from self._documents()
        yield from self._dead_letters()

    def _documents(self) -> Iterator[None]:
        there, now = self.store.documents(self.view.collection), self.now.documents
        deleted = {key: {"_id": key, "_position": one["_position"], "_deleted": 1} for key, one in there.items()}
        for key, document in {**deleted, **now}.items():
            if there.get(key) != document:
                self.store.put(self.view.collection, document)
                yield

    def _dead_letters(self) -> Iterator[None]:
        there, now = self.store.documents(PARKED_EVENTS), self.now.parked
        for record in now.values():
            if there.get(record["_id"]) != record:
                self.store.put(PARKED_EVENTS, record)
                yield
        for key, record in there.items():
            if record["position"] not in now:
                del self.store.collections[PARKED_EVENTS][key]
                yield
