"""A view projected by the plainest of means into a store in memory, step by step, with its dead letters."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.event_store import StoredEvent
from infrastructure.view_registry import VIEW_RECORDS
from infrastructure.view_registry.transitions import first_record
from ops.views.verification.left_out import DISCARDED_EVENTS, PARKED_EVENTS
from read_models.model.view import View
from subscriptions.parking.discarded_events import DiscardedEvent
from subscriptions.parking.parked_events import parked_id
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.bundled import CODEC

PARTITIONS = 2


class Projected:
    """What a view comes to after some events: its documents as they are stored, and its dead letters by their ids.

    `discarded` are pairs of a position and what it is left out of: a document's key, or the event's stream.
    """

    def __init__(
        self, view: View, events: Sequence[StoredEvent], discarded: AbstractSet[tuple[int, str]] = frozenset()
    ) -> None:
        self._view = view
        self._folded: dict[str, tuple[int, Any]] = {}
        self.parked: dict[str, dict[str, Any]] = {}
        self._discarded = discarded
        self._streams: set[str] = set()
        self._keys: set[str] = set()
        for stored in events:
            if stored.stream.startswith("order-") and (stored.position, stored.stream) not in discarded:
                self._project(stored)

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Every document, tombstones too, by its key."""
        return {key: _stored(key, *folded) for key, folded in self._folded.items()}

    def _project(self, stored: StoredEvent) -> None:
        try:
            recorded = CODEC.decode(stored)
            if type(recorded.event) not in self._view.events:
                return
            if stored.stream in self._streams:
                raise LookupError
            keys = self._view.keys(recorded.event)
        except Exception:
            self._streams.add(stored.stream)
            self._park(stored, "stream", stored.stream)
            return
        for key in keys:
            if (stored.position, key) in self._discarded:
                continue
            try:
                if key in self._keys:
                    raise LookupError
                document = self._view.fold(self._folded.get(key, (0, None))[1], recorded)
                self._folded[key] = (stored.position, document)
            except Exception:
                self._keys.add(key)
                self._park(stored, "key", key)

    def _park(self, stored: StoredEvent, kind: str, key: str) -> None:
        collection, position = self._view.collection, stored.position
        name = parked_id(collection, kind, key, position)
        self.parked[name] = {
            "_id": name,
            "_position": position,
            "target": collection,
            "kind": kind,
            "key": key,
            "stream": stored.stream,
            "revision": stored.revision,
            "position": position,
        }


def _stored(key: str, position: int, document: Any) -> dict[str, Any]:
    fields = {"_deleted": 1} if document is None else msgspec.to_builtins(document)
    return {"_id": key, "_position": position, **fields}


class PlainProjector:
    """Brings a view in a store along: every step is one write of the kind that a projector makes, in its order."""

    def __init__(self, view: View, events: Sequence[StoredEvent], store: MemoryReadStore) -> None:
        self.view = view
        self.events = events
        self.store = store
        self.done = 0
        self.discarded: set[tuple[int, str]] = set()
        record = first_record(view.name, view.version, PARTITIONS, 0)
        self._checkpoint_keys = record.target(record.live).keys
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
        """Leaves an event out of what it is parked for, for good, and replays what stood behind it."""
        for record in [one for one in self.now.parked.values() if one["position"] == position]:
            kind, key = record["kind"], record["key"]
            self.discarded.add((position, key))
            name = parked_id(self.view.name, kind, key, position)
            event = DiscardedEvent(
                consumer=self.view.name,
                kind=kind,
                key=key,
                position=position,
                stream=record["stream"],
                revision=record["revision"],
                event_type="",
                error="",
                reason="",
                discarded_at=0,
            )
            self.store.put(DISCARDED_EVENTS, {"_id": name, "_position": position, **msgspec.to_builtins(event)})
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
        for key, one in there.items():
            if key not in now and one["target"] == self.view.collection:
                del self.store.collections[PARKED_EVENTS][key]
                yield
