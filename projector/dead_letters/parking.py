"""Which streams and documents of a view are parked, and since which event."""

from collections.abc import Sequence

import msgspec

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write
from projector.dead_letters.discarded_events import Discards, discards_of
from projector.dead_letters.parked_events import COLLECTION, INDEXES, ParkedEvent, parked_event, parked_write
from projector.everything import everything
from projector.ports import DocumentStore
from read_models.model.view import View


class Parking:
    """What is parked for one build of a view, and what operators have discarded for the view.

    Events before the one that parked a key are folded as ever, also when they are replayed.
    """

    def __init__(self, view: View, collection: str) -> None:
        self.view = view
        self.collection = collection
        self.discards = Discards()
        self._streams: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self.count = 0

    async def load(self, store: DocumentStore) -> None:
        """Reads back what earlier runs have parked."""
        self._streams.clear()
        self._keys.clear()
        self.discards = await discards_of(store, self.view.name)
        await store.prepare(COLLECTION, ParkedEvent, INDEXES)
        self.count = await store.count(COLLECTION, {"collection": self.collection})
        firsts = everything(store, COLLECTION, {"collection": self.collection, "first": 1}, by="position")
        async for document in firsts:
            since = self._streams if document["kind"] == "stream" else self._keys
            since.setdefault(document["key"], document["position"])

    def holds_stream(self, stream: str, position: int) -> bool:
        """Whether an event of the stream at `position` is parked, or stands behind one that is."""
        return bool(self._streams) and self._streams.get(stream, position + 1) <= position

    def holds_key(self, key: str, position: int) -> bool:
        """Whether an event of the document at `position` is parked, or stands behind one that is."""
        return bool(self._keys) and self._keys.get(key, position + 1) <= position

    def free_stream(self, stream: str) -> int | None:
        """The stream's events are folded again from now on; answers since which event they were not."""
        return self._streams.pop(stream, None)

    def free_key(self, key: str) -> int | None:
        """The document's events are folded again from now on; answers since which event they were not."""
        return self._keys.pop(key, None)

    def add_stream(self, stream: str, position: int) -> None:
        """Parks a stream from an event on."""
        self._streams.setdefault(stream, position)

    def add_key(self, key: str, position: int) -> None:
        """Parks a document from an event on."""
        self._keys.setdefault(key, position)


class ParkedOfBatch:
    """The events that one batch sets aside for one build."""

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        self._events: dict[tuple[int, str], ParkedEvent] = {}

    def park_stream(self, stored: StoredEvent, error: str) -> None:
        """Sets the event aside, and its stream from here on."""
        first = not self._parking.holds_stream(stored.stream, stored.position)
        self._parking.add_stream(stored.stream, stored.position)
        self._add(parked_event(self._parking, "stream", stored.stream, stored, error, first=first))

    def park_key(self, stored: StoredEvent, key: str, error: str) -> None:
        """Sets the event aside for one of its documents, and that document from here on."""
        first = not self._parking.holds_key(key, stored.position)
        self._parking.add_key(key, stored.position)
        self._add(parked_event(self._parking, "document", key, stored, error, first=first))

    def _add(self, parked: ParkedEvent) -> None:
        self._events.setdefault((parked.position, parked.key), parked)

    def events(self) -> Sequence[ParkedEvent]:
        """The records in commit order."""
        return [self._events[place] for place in sorted(self._events)]

    def writes(self) -> list[Write]:
        """The records as they are stored."""
        return [parked_write(parked, msgspec.to_builtins(parked)) for parked in self.events()]
