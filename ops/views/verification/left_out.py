"""The events that a build leaves out: its dead letters, and those discarded from the view."""

from collections.abc import Mapping
from typing import Any

import msgspec

from infrastructure.event_store import StoredEvent
from ops.views.verification.ports import DocumentSource
from subscriptions.parking.discarded_events import COLLECTION as DISCARDED_EVENTS
from subscriptions.parking.discarded_events import DiscardedEvent
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.store.scan import scan_pages


class LeftOut:
    """`events` are left out altogether, `keys` for some documents only; both by position."""

    def __init__(self, events: set[int] | None = None, keys: dict[int, set[str]] | None = None) -> None:
        self._events = events or set()
        self._keys = keys or {}
        self.discarded: dict[int, list[DiscardedEvent]] = {}

    def compare(self, stored: StoredEvent) -> None:
        """Forgets what was discarded at the event's position unless it was this event: it was on another log then."""
        for one in self.discarded.pop(stored.position, ()):
            if not one.is_of(stored):
                self._events.discard(stored.position)
                self._keys.pop(stored.position, None)

    def event(self, position: int) -> bool:
        """Whether no document of the build has folded the event."""
        return position in self._events

    def document(self, position: int, key: str) -> bool:
        """Whether this document has not folded the event."""
        keys = self._keys.get(position)
        return keys is not None and key in keys


async def left_out(store: DocumentSource, view: str, collection: str) -> LeftOut:
    """What the build in a collection leaves out at this moment. Raises what the store raises."""
    events: set[int] = set()
    keys: dict[int, set[str]] = {}
    compared: dict[int, list[DiscardedEvent]] = {}
    async for parked in scan_pages(store, PARKED_EVENTS, {"target": collection}, by="position"):
        _leave_out(parked, events, keys)
    async for discarded in scan_pages(store, DISCARDED_EVENTS, {"consumer": view}, by="position"):
        _leave_out(discarded, events, keys)
        compared.setdefault(discarded["position"], []).append(msgspec.convert(discarded, DiscardedEvent))
    found = LeftOut(events, keys)
    found.discarded = compared
    return found


def _leave_out(record: Mapping[str, Any], events: set[int], keys: dict[int, set[str]]) -> None:
    if record["kind"] == "stream":
        events.add(record["position"])
    else:
        keys.setdefault(record["position"], set()).add(record["key"])
