"""Events that an operator has left out of a view for good: kept for the audit, and heeded by every later build."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.read_store import Write
from projector.dead_letters.parked_events import parked_id
from projector.everything import everything
from projector.ports import DocumentStore

COLLECTION = "discarded_events"


class DiscardedEvent(Struct, frozen=True):
    """`kind` and `key` say what it is left out of: one document, or (a stream's) all. `error` is why it was parked,
    `reason` what the operator gave. `discarded_at` is in epoch milliseconds."""

    view: str
    kind: str
    key: str
    position: int
    stream: str
    revision: int
    event_type: str
    error: str
    reason: str
    discarded_at: int


INDEXES = (("view", "position"),)


def discarded_write(event: DiscardedEvent, fields: dict[str, Any]) -> Write:
    """The write that records it: repeated, it is refused and changes nothing."""
    return Write(parked_id(event.view, event.kind, event.key, event.position), event.position, fields)


class Discards:
    """What is left out of a view: whole events, and events for single documents."""

    def __init__(self, events: Iterable[DiscardedEvent] = ()) -> None:
        listed = list(events)
        self._events = frozenset(one.position for one in listed if one.kind == "stream")
        self._of_documents = frozenset((one.position, one.key) for one in listed if one.kind == "document")

    def whole(self, position: int) -> bool:
        """Whether the event at `position` is left out altogether."""
        return position in self._events

    def of_document(self, position: int, key: str) -> bool:
        """Whether the event at `position` is left out of one document."""
        return (position, key) in self._of_documents

    def hold(self, kind: str, key: str, position: int) -> bool:
        """Whether what was parked under a key is left out."""
        return self.whole(position) if kind == "stream" else self.of_document(position, key)


async def discards_of(store: DocumentStore, view: str) -> Discards:
    """All that is left out of the view."""
    await store.prepare(COLLECTION, DiscardedEvent, INDEXES)
    found = everything(store, COLLECTION, {"view": view}, by="position")
    return Discards([msgspec.convert(document, DiscardedEvent) async for document in found])
