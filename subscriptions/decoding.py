"""Each event of a batch is decoded once, for all consumers."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from infrastructure.dead_letters.failure import Failure
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from subscriptions.failures import event_failure


class Incoming(Struct, frozen=True, gc=False):
    """An event of one of our aggregates: decoded, or (None) with the reason why it can't be."""

    stored: StoredEvent
    recorded: RecordedEvent[Struct] | None
    fault: Failure | None = None


class DecodedBatch(Struct, frozen=True):
    """A batch of the subscription without the events of other categories; they still advance `position`.

    `considered` counts them too.
    """

    events: Sequence[Incoming]
    position: int
    caught_up: bool
    considered: int


async def decode_batch(
    codec: EventCodec, events: Sequence[StoredEvent], position: int, *, caught_up: bool
) -> DecodedBatch:
    """Every event of our categories, in order; nothing in an event can make this fail. Raises KeyStoreUnavailable."""
    is_ours, decode = codec.is_ours, await codec.decoder(events)
    ours = [_decoded(decode, stored) for stored in events if is_ours(stored)]
    return DecodedBatch(ours, position, caught_up, len(events))


def _decoded(decode: Callable[[StoredEvent], RecordedEvent[Struct]], stored: StoredEvent) -> Incoming:
    try:
        return Incoming(stored, decode(stored))
    except Exception as error:  # an upcaster may fail in any way on data that was never valid
        return Incoming(stored, None, event_failure(error, stored, None))
