"""Events that an operator has left out of a consumer for good: stored for the audit and for its later targets."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write
from subscriptions.parking.parked_events import parked_id
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

COLLECTION = "discarded_events"


class DiscardedEvent(Struct, frozen=True):
    """`kind` and `key` say what it is left out of: one key's work, or (a stream's) all of it. `error` is why it was
    parked, `reason` what the operator gave. `discarded_at` is in epoch milliseconds. `event` is the event's id; empty
    in a record of a release that kept none."""

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
    event: str = ""

    def is_of(self, stored: StoredEvent) -> bool:
        """Whether this is the event that was discarded: on another log another one may stand at its position."""
        same_place = (stored.stream, stored.revision) == (self.stream, self.revision)
        return same_place and self.event in ("", stored.id)


INDEXES = (("consumer", "position"),)


def discarded_write(event: DiscardedEvent, fields: dict[str, Any]) -> Write:
    """The write that records it: repeated, it is refused and changes nothing."""
    # With the event's id, because an event of another log may have been discarded at the same position.
    key = parked_id(event.consumer, event.kind, event.key, event.position)
    return Write(f"{key}:{event.event}" if event.event else key, event.position, fields)


class Discards:
    """What is left out of a consumer: whole events, and events for single keys."""

    def __init__(self, events: Iterable[DiscardedEvent] = ()) -> None:
        self._at: dict[int, list[DiscardedEvent]] = {}
        for one in events:
            self._at.setdefault(one.position, []).append(one)
        self._events: frozenset[int] = frozenset()
        self._of_keys: frozenset[tuple[int, str]] = frozenset()
        self._list()

    def compare(self, stored: StoredEvent) -> None:
        """Forgets what was discarded at the event's position unless it was this event: it was on another log then.

        To be called with each event before it is asked about.
        """
        found = self._at.get(stored.position)
        if found is not None and not all(one.is_of(stored) for one in found):
            self._at[stored.position] = [one for one in found if one.is_of(stored)]
            self._list()

    def _list(self) -> None:
        listed = [one for found in self._at.values() for one in found]
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
