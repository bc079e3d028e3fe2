"""What has happened to an order. Each event carries all that views need, so that nothing is joined later.

Times are aware and in UTC; amounts are in minor units of `currency`.
"""

from datetime import datetime

from msgspec import Struct


class Line(Struct, frozen=True, gc=False):
    """A line as it was ordered."""

    sku: str
    quantity: int
    unit_price: int
    discount: int
    total: int


class OrderCreated(Struct, frozen=True):
    """An order was placed. `ordered_at` is its business time, `created_at` when the command was received."""

    order_id: str
    customer_id: str
    currency: str
    lines: list[Line]
    item_count: int
    total: int
    ordered_at: datetime
    created_at: datetime


class OrderConfirmed(Struct, frozen=True, gc=False):
    """The order was confirmed."""

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
    """The order was cancelled; `total` and `ordered_at` say what to subtract from the figures of its customer and its
    day."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    ordered_at: datetime
    reason: str
    cancelled_at: datetime


OrderEvent = OrderCreated | OrderConfirmed | OrderShipped | OrderDelivered | OrderCancelled
