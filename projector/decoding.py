"""Step one: each event of a batch is decoded once, for all views."""

from collections.abc import Sequence

from msgspec import Struct

from domain.aggregates import CATEGORIES, category_of
from domain.recorded import Recorded
from infrastructure.event_codec import decode_event
from infrastructure.event_store import Batch, StoredEvent


class Incoming(Struct, frozen=True, gc=False):
    """An event of one of our aggregates: decoded, or with the reason why it can't be."""

    stored: StoredEvent
    recorded: Recorded[Struct] | None
    fault: str = ""


class DecodedBatch(Struct, frozen=True):
    """A batch of the subscription without the events that are none of ours; they still advance `position`."""

    events: Sequence[Incoming]
    position: int | None
    caught_up: bool


def decode_batch(batch: Batch) -> DecodedBatch:
    """Every event of our categories, in order; nothing in an event can make this fail."""
    ours = [_decode(stored) for stored in batch.events if category_of(stored.stream) in CATEGORIES]
    return DecodedBatch(ours, batch.position, batch.caught_up)


def _decode(stored: StoredEvent) -> Incoming:
    try:
        return Incoming(stored, decode_event(stored))
    except Exception as error:  # an upcaster may fail in any way on data that was never valid
        return Incoming(stored, None, f"{type(error).__name__}: {error}")
