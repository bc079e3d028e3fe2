"""Orders, cancellations and revenue of each business day (the UTC date of an order's business time)."""

from datetime import UTC, date, datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import OrderCancelled, OrderCreated
from read_models.model.amounts import added
from read_models.model.parameter import Date, Parameter
from read_models.model.public_fields import PublicFields
from read_models.model.query import RangeQuery
from read_models.model.view import View

MAX_DAYS = 366


class DailySales(Struct, frozen=True, gc=False):
    """`day` is the date as the integer yyyymmdd, so that a range is a range of integers. `orders` counts every order
    placed that day, `cancelled` those of them cancelled since; `revenue` (minor units by currency) leaves those out."""

    day: int
    orders: int
    cancelled: int
    revenue: dict[str, int]


def day_number(day: date | datetime) -> int:
    """A date as the integer yyyymmdd."""
    return day.year * 10_000 + day.month * 100 + day.day


def keys(event: OrderCreated | OrderCancelled) -> tuple[str, ...]:
    """The document of the order's business day."""
    return (event.ordered_at.astimezone(UTC).date().isoformat(),)


def fold(sales: DailySales | None, recorded: RecordedEvent[OrderCreated | OrderCancelled]) -> DailySales:
    """The day's figures after the event."""
    event = recorded.event
    if isinstance(event, OrderCreated):
        if sales is None:
            day = day_number(event.ordered_at.astimezone(UTC))
            return DailySales(day, 1, 0, {event.currency: event.total})
        return replace(sales, orders=sales.orders + 1, revenue=added(sales.revenue, event.currency, event.total))
    if sales is None:
        raise ValueError(f"order {event.order_id} is cancelled on a day that has no order")
    return replace(sales, cancelled=sales.cancelled + 1, revenue=added(sales.revenue, event.currency, -event.total))


DAILY_SALES = View(
    name="daily_sales",
    version=1,
    document=DailySales,
    events=frozenset({OrderCreated, OrderCancelled}),
    keys=keys,
    fold=fold,
    indexes=(("day",),),
    queries=(
        RangeQuery(
            path="/daily-sales",
            operation="ListDailySales",
            access=Access("daily-sales:read"),
            summary="Orders, cancellations and revenue by business day",
            description=f"Days without orders are left out; at most {MAX_DAYS} days per request.",
            field="day",
            first=Parameter("from", Date(), "First day"),
            last=Parameter("to", Date(), "Last day, included"),
            greatest_span=MAX_DAYS,
            greatest_rows=MAX_DAYS,
        ),
    ),
    public=PublicFields(dates=("day",)),
)
