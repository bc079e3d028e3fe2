"""The orders as rows of a list: of one customer, of one status, or all, newest first."""

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
from domain.ordering.order import Status
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import ListQuery
from read_models.model.view import View, millis


class ListedOrder(Struct, frozen=True, gc=False):
    """One row. `placed_position` is unique and rising: the key that pages are cut by."""

    order_id: str
    customer_id: str
    status: str
    currency: str
    total: int
    item_count: int
    ordered_at: int
    created_at: int
    updated_at: int
    version: int
    placed_position: int


def keys(event: OrderEvent) -> tuple[str, ...]:
    """The order's row."""
    return (event.order_id,)


def fold(row: ListedOrder | None, recorded: RecordedEvent[OrderEvent]) -> ListedOrder:
    """The order's row after the event."""
    event = recorded.event
    if isinstance(event, OrderCreated):
        created_at = millis(event.created_at)
        return ListedOrder(
            order_id=event.order_id,
            customer_id=event.customer_id,
            status="pending",
            currency=event.currency,
            total=event.total,
            item_count=event.item_count,
            ordered_at=millis(event.ordered_at),
            created_at=created_at,
            updated_at=created_at,
            version=recorded.revision,
            placed_position=recorded.position,
        )
    if row is None:
        raise ValueError(f"{type(event).__name__} of order {event.order_id} stands before its OrderCreated")
    match event:
        case OrderConfirmed():
            status, at = "confirmed", event.confirmed_at
        case OrderShipped():
            status, at = "shipped", event.shipped_at
        case OrderDelivered():
            status, at = "delivered", event.delivered_at
        case OrderCancelled():
            status, at = "cancelled", event.cancelled_at
    return replace(row, status=status, updated_at=millis(at), version=recorded.revision)


_STATUS = Parameter("status", OneOf(tuple(status.value for status in Status)), "Only orders with this status")

ORDER_LIST = View(
    name="order_list",
    version=2,
    document=ListedOrder,
    events=frozenset({OrderCreated, OrderConfirmed, OrderShipped, OrderDelivered, OrderCancelled}),
    keys=keys,
    fold=fold,
    indexes=(("placed_position",), ("customer_id", "placed_position"), ("status", "placed_position")),
    per_stream=True,
    dropped_with="order",
    begins_with=frozenset({OrderCreated}),
    queries=(
        ListQuery(
            path="/orders",
            operation="ListOrders",
            access=Access("orders:read", owner="customer_id"),
            summary="Orders, newest first",
            filters=(_STATUS, Parameter("customer_id", Identifier(), "Only orders of this customer")),
            sort="placed_position",
        ),
        ListQuery(
            path="/customers/{customer_id}/orders",
            operation="ListCustomerOrders",
            access=Access("orders:read", owner="customer_id"),
            summary="A customer's orders, newest first",
            filters=(Parameter("customer_id", Identifier()), _STATUS),
            sort="placed_position",
        ),
    ),
)
