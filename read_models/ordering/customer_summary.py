"""What a customer has ordered and spent."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import OrderCancelled, OrderCreated
from read_models.model.amounts import added
from read_models.model.parameter import Identifier, Parameter
from read_models.model.query import KeyQuery
from read_models.model.view import View, millis


class CustomerSummary(Struct, frozen=True, gc=False):
    """`orders` counts every order placed, `cancelled` those cancelled since; `spend` (minor units by currency) leaves
    the cancelled ones out. The last order is the one with the latest business time."""

    customer_id: str
    orders: int
    cancelled: int
    spend: dict[str, int]
    last_order_id: str
    last_ordered_at: int
    updated_at: int


def keys(event: OrderCreated | OrderCancelled) -> tuple[str, ...]:
    """The customer's document."""
    return (event.customer_id,)


def fold(summary: CustomerSummary | None, recorded: RecordedEvent[OrderCreated | OrderCancelled]) -> CustomerSummary:
    """The customer's figures after the event."""
    event = recorded.event
    if isinstance(event, OrderCreated):
        return _created(summary, event)
    if summary is None:
        raise ValueError(f"order {event.order_id} of {event.customer_id} is cancelled before any was created")
    return replace(
        summary,
        cancelled=summary.cancelled + 1,
        spend=added(summary.spend, event.currency, -event.total),
        updated_at=millis(event.cancelled_at),
    )


def _created(summary: CustomerSummary | None, event: OrderCreated) -> CustomerSummary:
    ordered_at, created_at = millis(event.ordered_at), millis(event.created_at)
    if summary is None:
        spend = {event.currency: event.total}
        return CustomerSummary(event.customer_id, 1, 0, spend, event.order_id, ordered_at, created_at)
    latest = ordered_at >= summary.last_ordered_at
    return replace(
        summary,
        orders=summary.orders + 1,
        spend=added(summary.spend, event.currency, event.total),
        last_order_id=event.order_id if latest else summary.last_order_id,
        last_ordered_at=ordered_at if latest else summary.last_ordered_at,
        updated_at=created_at,
    )


CUSTOMER_SUMMARY = View(
    name="customer_summary",
    version=1,
    document=CustomerSummary,
    events=frozenset({OrderCreated, OrderCancelled}),
    keys=keys,
    fold=fold,
    queries=(
        KeyQuery(
            path="/customers/{customer_id}",
            operation="GetCustomer",
            access=Access("customers:read", owner="customer_id"),
            summary="A customer's orders and spend in figures",
            key=Parameter("customer_id", Identifier()),
            noun="customer",
        ),
    ),
)
