"""Which streams and documents of a view are parked, and since which event."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write
from projector.parked_events import COLLECTION, INDEXES, ParkedEvent, parked_event, parked_write
from projector.ports import DocumentStore
from read_models.view import View

_PAGE = 500


class Parking:
    """What is parked for one view. Events before the one that parked a key are folded as ever, also when replayed."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._streams: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self.count = 0

    async def load(self, store: DocumentStore) -> None:
        """Reads back what earlier runs have parked."""
        self._streams.clear()
        self._keys.clear()
        await store.prepare(COLLECTION, ParkedEvent, INDEXES)
        self.count = await store.count(COLLECTION, {"collection": self._view.collection})
        last = -1
        while True:
            where: Mapping[str, Any] = {"collection": self._view.collection, "first": 1, "position": {"$gt": last}}
            page = await store.page(COLLECTION, where, by="position", direction="ascending", limit=_PAGE)
            for document in page:
                last = document["position"]
                since = self._streams if document["kind"] == "stream" else self._keys
                for key in document["parked_keys"]:
                    since.setdefault(key, last)
            if len(page) < _PAGE:
                return

    def holds_stream(self, stream: str, position: int) -> bool:
        """Whether an event of the stream at `position` is parked, or stands behind one that is."""
        return bool(self._streams) and self._streams.get(stream, position + 1) <= position

    def holds_key(self, key: str, position: int) -> bool:
        """Whether an event of the document at `position` is parked, or stands behind one that is."""
        return bool(self._keys) and self._keys.get(key, position + 1) <= position

    def add_stream(self, stream: str, position: int) -> None:
        """Parks a stream from an event on."""
        self._streams.setdefault(stream, position)

    def add_key(self, key: str, position: int) -> None:
        """Parks a document from an event on."""
        self._keys.setdefault(key, position)


class ParkedOfBatch:
    """The events that one batch sets aside for one view: one record each, whatever number of its keys are parked."""

    def __init__(self, view: View, parking: Parking) -> None:
        self._view = view
        self._parking = parking
        self._events: dict[int, ParkedEvent] = {}

    def park_stream(self, stored: StoredEvent, error: str) -> None:
        """Sets the event aside, and its stream from here on."""
        first = not self._parking.holds_stream(stored.stream, stored.position)
        self._parking.add_stream(stored.stream, stored.position)
        self._add(parked_event(self._view, "stream", [stored.stream], stored, error, first=first))

    def park_key(self, stored: StoredEvent, key: str, error: str) -> None:
        """Sets the event aside for one of its documents, and that document from here on."""
        first = not self._parking.holds_key(key, stored.position)
        self._parking.add_key(key, stored.position)
        before = self._events.get(stored.position)
        if before is None:
            self._add(parked_event(self._view, "document", [key], stored, error, first=first))
        elif key not in before.parked_keys:
            keys, first = [*before.parked_keys, key], first or before.first == 1
            self._add(msgspec.structs.replace(before, parked_keys=keys, first=int(first)))

    def _add(self, parked: ParkedEvent) -> None:
        self._events[parked.position] = parked

    def events(self) -> Sequence[ParkedEvent]:
        """The records in commit order."""
        return [self._events[position] for position in sorted(self._events)]

    def writes(self) -> list[Write]:
        """The records as they are stored."""
        return [parked_write(parked, msgspec.to_builtins(parked)) for parked in self.events()]
