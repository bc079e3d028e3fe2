"""Orders to test with: commands, events in a chain, and a hypothesis strategy for right ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain.ordering.commands import OrderLine, PlaceOrder
from domain.ordering.events import Line, OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderShipped
from tests.support.decider import NOON

LINES = [OrderLine("apple", 3, 50, 10), OrderLine("bread", 1, 299)]
PLACE = PlaceOrder("customer-1", "USD", LINES)
TOTAL = 3 * 50 - 10 + 299

CREATED = OrderCreated(
    order_id="o-1",
    customer_id="customer-1",
    currency="USD",
    lines=[Line("apple", 3, 50, 10, 140), Line("bread", 1, 299, 0, 299)],
    item_count=4,
    total=TOTAL,
    ordered_at=NOON,
    created_at=NOON,
)
CONFIRMED = OrderConfirmed("o-1", "customer-1", NOON)
SHIPPED = OrderShipped("o-1", "customer-1", "DHL", "JD014600", NOON)
DELIVERED = OrderDelivered("o-1", "customer-1", NOON)
CANCELLED = OrderCancelled("o-1", "customer-1", "USD", TOTAL, NOON, "changed my mind", NOON)

HISTORIES: dict[str, tuple[Any, ...]] = {
    "pending": (CREATED,),
    "confirmed": (CREATED, CONFIRMED),
    "shipped": (CREATED, CONFIRMED, SHIPPED),
    "delivered": (CREATED, CONFIRMED, SHIPPED, DELIVERED),
    "cancelled": (CREATED, CANCELLED),
}

CREATED_V1 = (
    b'{"order_id":"o-1","customer_id":"customer-1","currency":"USD",'
    b'"lines":[{"sku":"apple","quantity":3,"price":50},{"sku":"bread","quantity":1,"price":299}],'
    b'"created_at":"2024-05-01T09:30:00Z"}'
)
"""An OrderCreated as the first release wrote it: `price`, no discount, no business time."""

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)


@st.composite
def order_lines(draw: st.DrawFn) -> OrderLine:
    quantity = draw(st.integers(1, 1_000_000))
    unit_price = draw(st.integers(0, 10_000_000))
    discount = draw(st.integers(0, quantity * unit_price))
    return OrderLine(draw(identifiers), quantity, unit_price, discount)


place_orders = st.builds(
    PlaceOrder,
    customer_id=identifiers,
    currency=st.sampled_from(["USD", "EUR", "JPY"]),
    lines=st.lists(order_lines(), min_size=1, max_size=20),
    ordered_at=st.none()
    | st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone is added
    | st.just(datetime(2026, 3, 14, 23, 30, tzinfo=UTC) + timedelta(hours=1)),
)
