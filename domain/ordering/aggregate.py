"""The order aggregate as the other layers see it: its commands, its events and their versions."""

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType
from domain.ordering.commands import CancelOrder, ConfirmOrder, DeliverOrder, PlaceOrder, ShipOrder
from domain.ordering.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderShipped,
)
from domain.ordering.order import Order, decide, evolve
from domain.ordering.upcasters import order_created_1_to_2

ORDER = Aggregate(
    category="order",
    plural="orders",
    state=Order,
    commands=(
        CommandType(PlaceOrder, "place", creates=True, summary="Place an order", access=Access("orders:place")),
        CommandType(ConfirmOrder, "confirm", summary="Confirm a pending order", access=Access("orders:confirm")),
        CommandType(ShipOrder, "ship", summary="Ship a confirmed order", access=Access("orders:ship")),
        CommandType(DeliverOrder, "deliver", summary="Deliver a shipped order", access=Access("orders:deliver")),
        CommandType(
            CancelOrder,
            "cancel",
            summary="Cancel an order that has not been shipped",
            access=Access("orders:cancel"),
        ),
    ),
    events=(
        EventType("OrderCreated", 2, OrderCreated, {1: order_created_1_to_2}),
        EventType("OrderConfirmed", 1, OrderConfirmed),
        EventType("OrderShipped", 1, OrderShipped),
        EventType("OrderDelivered", 1, OrderDelivered),
        EventType("OrderCancelled", 1, OrderCancelled),
    ),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({OrderCreated}),
    owner="customer_id",
    read_access=Access("orders:read"),
)
