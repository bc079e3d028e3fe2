"""What is, or was, promised to each order, of all articles together."""

from msgspec import Struct
from msgspec.structs import replace

from domain.inventory.events import StockReleased, StockReserved, StockShippedOut
from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import KeyQuery, ListQuery
from read_models.model.view import View, millis

RESERVED, RELEASED, SHIPPED_OUT = "reserved", "released", "shipped_out"
OPEN, CLOSED = "open", "closed"

ReservationEvent = StockReserved | StockReleased | StockShippedOut


class ReservedLine(Struct, frozen=True, gc=False):
    """An article. `status` is reserved, released or shipped_out, `updated_at` when it became so."""

    sku: str
    quantity: int
    status: str
    updated_at: int


class Reservation(Struct, frozen=True, gc=False):
    """An order's reservations. `status` is open while anything is still reserved, closed otherwise.

    Times are epoch milliseconds; `first_position` orders the list's pages.
    """

    order_id: str
    status: str
    lines: list[ReservedLine]
    updated_at: int
    first_position: int


def keys(event: ReservationEvent) -> tuple[str, ...]:
    """The order's document."""
    return (event.order_id,)


def fold(reservation: Reservation | None, recorded: RecordedEvent[ReservationEvent]) -> Reservation:
    """The order's document after the event: each says all there is to say of its article."""
    event = recorded.event
    match event:
        case StockReserved():
            status, at = RESERVED, event.reserved_at
        case StockReleased():
            status, at = RELEASED, event.released_at
        case StockShippedOut():
            status, at = SHIPPED_OUT, event.shipped_at
    line = ReservedLine(event.sku, event.quantity, status, millis(at))
    if reservation is None:
        reservation = Reservation(event.order_id, OPEN, [], line.updated_at, recorded.position)
    lines = _with(reservation.lines, line)
    still_open = any(one.status == RESERVED for one in lines)
    return replace(reservation, status=OPEN if still_open else CLOSED, lines=lines, updated_at=line.updated_at)


def _with(lines: list[ReservedLine], line: ReservedLine) -> list[ReservedLine]:
    """The lines with this one in the place of an earlier one of the same article, or at the end."""
    if any(one.sku == line.sku for one in lines):
        return [line if one.sku == line.sku else one for one in lines]
    return [*lines, line]


RESERVATIONS = View(
    name="reservations",
    version=1,
    document=Reservation,
    events=frozenset({StockReserved, StockReleased, StockShippedOut}),
    keys=keys,
    fold=fold,
    indexes=(("first_position",), ("status", "first_position")),
    queries=(
        KeyQuery(
            path="/reservations/{order_id}",
            operation="GetReservations",
            access=Access("reservations:read"),
            summary="What is, or was, promised to an order",
            key=Parameter("order_id", Identifier()),
            noun="reservation for order",
        ),
        ListQuery(
            path="/reservations",
            operation="ListReservations",
            access=Access("reservations:read"),
            summary="The orders that something is, or was, promised to, newest first",
            filters=(Parameter("status", OneOf((OPEN, CLOSED)), "open: something is still reserved"),),
            sort="first_position",
        ),
    ),
)
