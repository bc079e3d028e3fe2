"""One order with its lines and the time of every step."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderShipped,
)
from read_models.model.parameter import Identifier, Parameter
from read_models.model.query import KeyQuery
from read_models.model.view import View, millis


class DetailLine(Struct, frozen=True, gc=False):
    """One line; amounts in minor units."""

    sku: str
    quantity: int
    unit_price: int
    discount: int
    total: int


class OrderDetails(Struct, frozen=True, omit_defaults=True, gc=False):
    """Times are epoch milliseconds. `version` is the stream revision; `placed_position` orders the list's pages."""

    order_id: str
    customer_id: str
    currency: str
    status: str
    total: int
    item_count: int
    lines: list[DetailLine]
    ordered_at: int
    created_at: int
    updated_at: int
    version: int
    placed_position: int
    confirmed_at: int | None = None
    shipped_at: int | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    delivered_at: int | None = None
    cancelled_at: int | None = None
    cancel_reason: str | None = None


def keys(event: OrderEvent) -> tuple[str, ...]:
    """The order's document."""
    return (event.order_id,)


def fold(document: OrderDetails | None, recorded: RecordedEvent[OrderEvent]) -> OrderDetails:
    """The order's document after the event."""
    event = recorded.event
    if isinstance(event, OrderCreated):
        return _created(event, recorded)
    if document is None:
        raise ValueError(f"{type(event).__name__} of order {event.order_id} stands before its OrderCreated")
    version = recorded.revision
    match event:
        case OrderConfirmed():
            at = millis(event.confirmed_at)
            return replace(document, status="confirmed", confirmed_at=at, updated_at=at, version=version)
        case OrderShipped():
            at = millis(event.shipped_at)
            return replace(
                document,
                status="shipped",
                shipped_at=at,
                carrier=event.carrier,
                tracking_number=event.tracking_number,
                updated_at=at,
                version=version,
            )
        case OrderDelivered():
            at = millis(event.delivered_at)
            return replace(document, status="delivered", delivered_at=at, updated_at=at, version=version)
        case OrderCancelled():
            at = millis(event.cancelled_at)
            return replace(
                document,
                status="cancelled",
                cancelled_at=at,
                cancel_reason=event.reason,
                updated_at=at,
                version=version,
            )


def _created(event: OrderCreated, recorded: RecordedEvent[OrderEvent]) -> OrderDetails:
    created_at = millis(event.created_at)
    return OrderDetails(
        order_id=event.order_id,
        customer_id=event.customer_id,
        currency=event.currency,
        status="pending",
        total=event.total,
        item_count=event.item_count,
        lines=[DetailLine(li.sku, li.quantity, li.unit_price, li.discount, li.total) for li in event.lines],
        ordered_at=millis(event.ordered_at),
        created_at=created_at,
        updated_at=created_at,
        version=recorded.revision,
        placed_position=recorded.position,
    )


ORDER_DETAILS = View(
    name="order_details",
    version=2,
    document=OrderDetails,
    events=frozenset({OrderCreated, OrderConfirmed, OrderShipped, OrderDelivered, OrderCancelled}),
    keys=keys,
    fold=fold,
    per_stream=True,
    dropped_with="order",
    begins_with=frozenset({OrderCreated}),
    queries=(
        KeyQuery(
            path="/orders/{order_id}",
            operation="GetOrder",
            access=Access("orders:read", owner="customer_id"),
            summary="One order with its lines and the time of every step",
            description="The `ETag` is the one that commands take in `If-Match`.",
            key=Parameter("order_id", Identifier()),
            noun="order",
            version_field="version",
            aggregate="order",
        ),
    ),
)
