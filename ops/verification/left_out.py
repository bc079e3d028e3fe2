"""Events that a build leaves out: its dead letters, and what was discarded of the view."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ops.verification.ports import DocumentSource

PARKED_EVENTS = "parked_events"
DISCARDED_EVENTS = "discarded_events"

# A record holds up to 128 KiB of text for people, and a page of them is one reply.
_PAGE = 100


class LeftOut:
    """`events` are left out altogether, `keys` for some documents only; both by position."""

    def __init__(self, events: set[int] | None = None, keys: dict[int, set[str]] | None = None) -> None:
        self._events = events or set()
        self._keys = keys or {}

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
    async for parked in _records(store, PARKED_EVENTS, {"collection": collection}):
        if parked["kind"] == "stream":
            events.add(parked["position"])
        else:
            keys.setdefault(parked["position"], set()).update(parked["parked_keys"])
    async for discarded in _records(store, DISCARDED_EVENTS, {"view": view}):
        events.add(discarded["position"])
    return LeftOut(events, keys)


async def _records(
    store: DocumentSource, collection: str, where: Mapping[str, Any]
) -> AsyncIterator[Mapping[str, Any]]:
    last = -1
    while True:
        after = {**where, "position": {"$gt": last}}
        page = await store.page(collection, after, by="position", direction="ascending", limit=_PAGE)
        for record in page:
            last = record["position"]
            yield record
        if len(page) < _PAGE:
            return
