"""Events that a view can't fold, as they are shown to operators and kept until they are retried or discarded."""

import time
from typing import Literal, Protocol

from msgspec import Struct

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write
from read_models.model.view import View

COLLECTION = "parked_events"
_MAX_TEXT = 65_536

Kind = Literal["stream", "document"]


class ParkedEvent(Struct, frozen=True):
    """An event set aside for one view, because it fails or because it follows one that does.

    `kind` says what is parked with all its later events: the event's whole stream (its documents' keys are not known)
    or one of the view's documents; `key` names it. `first` is 1 for the event that parked the key, 0 for those behind
    it. Times are epoch milliseconds. `data` and `metadata` are for people: at most 64 Ki characters; the event itself
    stays in its stream at `revision`.
    """

    view: str
    collection: str
    kind: str
    key: str
    first: int
    stream: str
    revision: int
    position: int
    event_type: str
    error: str
    recorded_at: int
    parked_at: int
    data: str
    metadata: str


INDEXES = (
    ("position",),
    ("view", "position"),
    ("collection", "position"),
    ("collection", "first", "position"),
    ("collection", "key", "position"),
)


class Place(Protocol):
    """The build that an event is parked for; see projector.dead_letters.parking.Parking."""

    view: View
    collection: str


def parked_event(place: Place, kind: Kind, key: str, stored: StoredEvent, error: str, *, first: bool) -> ParkedEvent:
    """The record of one event set aside."""
    return ParkedEvent(
        view=place.view.name,
        collection=place.collection,
        kind=kind,
        key=key,
        first=int(first),
        stream=stored.stream,
        revision=stored.revision,
        position=stored.position,
        event_type=stored.type,
        error=readable(error),
        recorded_at=stored.recorded_at,
        parked_at=time.time_ns() // 1_000_000,
        data=readable(stored.data),
        metadata=readable(stored.metadata),
    )


def parked_id(collection: str, kind: str, key: str, position: int) -> str:
    """The key of its record. An event can be parked for several documents, in processes that know nothing of each
    other; it is parked for its stream only once."""
    place = f"{collection}:{position:020}"
    return f"{place}:{key}" if kind == "document" else place


def parked_write(parked: ParkedEvent, fields: dict[str, object]) -> Write:
    """The write that records it: repeated, it is refused and changes nothing."""
    return Write(parked_id(parked.collection, parked.kind, parked.key, parked.position), parked.position, fields)


def readable(text: str | bytes) -> str:
    """Text that every store can hold: what is not UTF-8, and NUL, is escaped, and the excess cut off."""
    if isinstance(text, str):
        text = text.encode("utf-8", "backslashreplace")
    cut = text[:_MAX_TEXT].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return cut if len(text) <= _MAX_TEXT else f"{cut[:_MAX_TEXT]}... ({len(text)} bytes)"
