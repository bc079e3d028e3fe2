"""A view with everything that the bundled ones lack: several keys an event, deletion, and folds and keys that raise."""

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import OrderCancelled, OrderConfirmed, OrderCreated
from read_models.model.view import View


class Tally(Struct, frozen=True):
    """Not commutative, so that any event left out, repeated or out of order shows."""

    events: int
    digest: int


def keys(event: OrderCreated | OrderConfirmed | OrderCancelled) -> tuple[str, ...]:
    if isinstance(event, OrderCreated) and event.total % 17 == 0:
        raise LookupError("no keys for a total that 17 divides")
    return (event.customer_id, "everybody", f"{event.customer_id}:{event.order_id[-1]}")


def fold(tally: Tally | None, recorded: RecordedEvent[OrderCreated | OrderConfirmed | OrderCancelled]) -> Tally | None:
    event = recorded.event
    if isinstance(event, OrderCreated) and event.total % 7 == 0 and tally is not None and tally.events % 2:
        raise ValueError("a total that 7 divides, at an odd place")
    if isinstance(event, OrderCancelled):
        return None
    before = Tally(0, 1) if tally is None else tally
    return Tally(before.events + 1, (before.digest * 31 + recorded.position) % 1_000_003)


TOUCHY = View("touchy", 3, Tally, frozenset({OrderCreated, OrderConfirmed, OrderCancelled}), keys, fold)
