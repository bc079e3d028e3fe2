"""Events that an operator has left out of a view for good: kept for the audit, and heeded by every later build."""

from typing import Any

from msgspec import Struct

from infrastructure.read_store import Write
from projector.everything import everything
from projector.ports import DocumentStore

COLLECTION = "discarded_events"


class DiscardedEvent(Struct, frozen=True):
    """`error` is why the event was parked, `reason` what the operator gave. `discarded_at` is in epoch milliseconds."""

    view: str
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
    return Write(f"{event.view}:{event.position:020}", event.position, fields)


async def discarded_positions(store: DocumentStore, view: str) -> frozenset[int]:
    """The positions of every event that is left out of the view."""
    await store.prepare(COLLECTION, DiscardedEvent, INDEXES)
    found = everything(store, COLLECTION, {"view": view}, by="position")
    return frozenset([document["position"] async for document in found])
