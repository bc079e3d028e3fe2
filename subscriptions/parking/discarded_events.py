"""Events that an operator has left out of a consumer for good: stored for the audit and for its later targets."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.read_store import Write
from subscriptions.parking.parked_events import parked_id
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

COLLECTION = "discarded_events"


class DiscardedEvent(Struct, frozen=True):
    """`kind` and `key` say what it is left out of: one key's work, or (a stream's) all of it. `error` is why it was
    parked, `reason` what the operator gave. `discarded_at` is in epoch milliseconds."""

    consumer: str
    kind: str
    key: str
    position: int
    stream: str
    revision: int
    event_type: str
    error: str
    reason: str
    discarded_at: int


INDEXES = (("consumer", "position"),)


def discarded_write(event: DiscardedEvent, fields: dict[str, Any]) -> Write:
    """The write that records it: repeated, it is refused and changes nothing."""
    return Write(parked_id(event.consumer, event.kind, event.key, event.position), event.position, fields)


class Discards:
    """What is left out of a consumer: whole events, and events for single keys."""

    def __init__(self, events: Iterable[DiscardedEvent] = ()) -> None:
        listed = list(events)
        self._events = frozenset(one.position for one in listed if one.kind == "stream")
        self._of_keys = frozenset((one.position, one.key) for one in listed if one.kind == "key")
        self._concerned = frozenset(one.key for one in listed) | frozenset(one.stream for one in listed)

    def whole(self, position: int) -> bool:
        """Whether the event at `position` is left out altogether."""
        return position in self._events

    def of_key(self, position: int, key: str) -> bool:
        """Whether the event at `position` is left out for one key."""
        return (position, key) in self._of_keys

    def concern(self, key: str, stream: str) -> bool:
        """Whether anything of the key, or of the stream, is left out."""
        return key in self._concerned or stream in self._concerned

    def include(self, kind: str, key: str, position: int) -> bool:
        """Whether what was parked under a key is left out."""
        return self.whole(position) if kind == "stream" else self.of_key(position, key)


async def discards_of(store: DocumentStore, consumer: str) -> Discards:
    """All that is left out of the consumer."""
    await store.prepare(COLLECTION, DiscardedEvent, INDEXES)
    found = scan_pages(store, COLLECTION, {"consumer": consumer}, by="position")
    return Discards([msgspec.convert(document, DiscardedEvent) async for document in found])
