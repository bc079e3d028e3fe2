"""What ordering publishes. Times are aware and in UTC; amounts are in minor units of `currency`."""

from datetime import UTC, datetime

from msgspec import Struct

from domain.model.publication import IntegrationEvent, Publication
from domain.ordering import events


class PlacedLine(Struct, frozen=True, gc=False):
    """A line of the order; `total` is after the discount."""

    sku: str
    quantity: int
    unit_price: int
    discount: int
    total: int


class OrderPlaced(Struct, frozen=True):
    """An order was placed."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    lines: list[PlacedLine]
    ordered_at: datetime


class OrderConfirmed(Struct, frozen=True, gc=False):
    """The order was confirmed: it will be delivered."""

    order_id: str
    customer_id: str
    confirmed_at: datetime


class OrderShipped(Struct, frozen=True, gc=False):
    """The order was handed to a carrier."""

    order_id: str
    customer_id: str
    carrier: str
    tracking_number: str
    shipped_at: datetime


class OrderDelivered(Struct, frozen=True, gc=False):
    """The order arrived."""

    order_id: str
    customer_id: str
    delivered_at: datetime


class OrderCancelled(Struct, frozen=True, gc=False):
    """The order was cancelled. Why is between the customer and us."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    cancelled_at: datetime


def _placed(event: events.OrderCreated) -> OrderPlaced:
    lines = [PlacedLine(one.sku, one.quantity, one.unit_price, one.discount, one.total) for one in event.lines]
    return OrderPlaced(event.order_id, event.customer_id, event.currency, event.total, lines, event.ordered_at)


def _confirmed(event: events.OrderConfirmed) -> OrderConfirmed:
    return OrderConfirmed(event.order_id, event.customer_id, event.confirmed_at)


def _shipped(event: events.OrderShipped) -> OrderShipped:
    return OrderShipped(event.order_id, event.customer_id, event.carrier, event.tracking_number, event.shipped_at)


def _delivered(event: events.OrderDelivered) -> OrderDelivered:
    return OrderDelivered(event.order_id, event.customer_id, event.delivered_at)


def _cancelled(event: events.OrderCancelled) -> OrderCancelled:
    return OrderCancelled(event.order_id, event.customer_id, event.currency, event.total, event.cancelled_at)


_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

PUBLISHED_BY_ORDERING = Publication(
    context="ordering",
    events=(
        IntegrationEvent("order-placed", 1, OrderPlaced),
        IntegrationEvent("order-confirmed", 1, OrderConfirmed),
        IntegrationEvent("order-shipped", 1, OrderShipped),
        IntegrationEvent("order-delivered", 1, OrderDelivered),
        IntegrationEvent("order-cancelled", 1, OrderCancelled),
    ),
    mapping={
        events.OrderCreated: (_placed,),
        events.OrderConfirmed: (_confirmed,),
        events.OrderShipped: (_shipped,),
        events.OrderDelivered: (_delivered,),
        events.OrderCancelled: (_cancelled,),
    },
    subject=lambda event: event.order_id,
    examples=(
        events.OrderCreated(
            "1042", "ada", "EUR", [events.Line("tea-green", 2, 450, 50, 850)], 2, 850, ordered_at=_AT, created_at=_AT
        ),
        events.OrderConfirmed("1042", "ada", _AT),
        events.OrderShipped("1042", "ada", "DHL", "JD014600003", _AT),
        events.OrderDelivered("1042", "ada", _AT),
        events.OrderCancelled("1042", "ada", "EUR", 850, _AT, "ordered twice", _AT),
    ),
)
