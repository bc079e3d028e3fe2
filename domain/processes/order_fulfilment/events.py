"""What has happened to the fulfilment of an order, as the process sees it. Times are aware and in UTC."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from domain.model.event_types import EventType


class PaymentStatus(StrEnum):
    """`free`: nothing is to be paid. `giving_up`: it will be voided or refunded, the payment has yet to say which."""

    FREE = "free"
    NOT_REQUESTED = "not_requested"
    REQUESTED = "requested"
    CHARGED = "charged"
    DECLINED = "declined"
    GIVING_UP = "giving_up"
    VOIDED = "voided"
    REFUNDING = "refunding"
    REFUND_FAILED = "refund_failed"
    REFUNDED = "refunded"


class OrderStatus(StrEnum):
    """`confirm_refused` and `cancel_refused`: somebody else was faster, the order's own event will say with what.
    `gone`: there is no such order any more."""

    PENDING = "pending"
    CONFIRM_REFUSED = "confirm_refused"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    CANCEL_REFUSED = "cancel_refused"
    CANCELLED = "cancelled"
    GONE = "gone"


class Need(Struct, frozen=True, gc=False):
    """How much of an article an order needs, over all its lines."""

    sku: str
    quantity: int


class FulfilmentStarted(Struct, frozen=True):
    """An order is to be fulfilled."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    needs: list[Need]
    at: datetime


class StockHeld(Struct, frozen=True, gc=False):
    """All that is needed of an article is reserved."""

    order_id: str
    sku: str
    at: datetime


class StockRefused(Struct, frozen=True, gc=False):
    """An article can't be reserved."""

    order_id: str
    sku: str
    reason: str
    at: datetime


class StockGivenBack(Struct, frozen=True, gc=False):
    """The reservation of an article is given up."""

    order_id: str
    sku: str
    at: datetime


class StockLeft(Struct, frozen=True, gc=False):
    """What was reserved of an article is shipped out."""

    order_id: str
    sku: str
    at: datetime


class FulfilmentPaymentChanged(Struct, frozen=True, gc=False):
    """The payment has come further."""

    order_id: str
    status: PaymentStatus
    at: datetime


class FulfilmentOrderChanged(Struct, frozen=True, gc=False):
    """The order has come further."""

    order_id: str
    status: OrderStatus
    at: datetime


class FulfilmentFailed(Struct, frozen=True, gc=False):
    """The order will not be fulfilled: from now on, what was done is undone."""

    order_id: str
    reason: str
    at: datetime


class RefundPostponed(Struct, frozen=True, gc=False):
    """The provider has refused a refund; it will be asked again. `attempt` counts the refusals."""

    order_id: str
    attempt: int
    reason: str
    at: datetime


class ShipmentOverdue(Struct, frozen=True, gc=False):
    """The order was confirmed long ago and is not shipped: a reminder, the `reminder`-th."""

    order_id: str
    reminder: int
    at: datetime


FulfilmentEvent = (
    FulfilmentStarted
    | StockHeld
    | StockRefused
    | StockGivenBack
    | StockLeft
    | FulfilmentPaymentChanged
    | FulfilmentOrderChanged
    | FulfilmentFailed
    | RefundPostponed
    | ShipmentOverdue
)

FULFILMENT_EVENTS = (
    EventType("FulfilmentStarted", 1, FulfilmentStarted),
    EventType("StockHeld", 1, StockHeld),
    EventType("StockRefused", 1, StockRefused),
    EventType("StockGivenBack", 1, StockGivenBack),
    EventType("StockLeft", 1, StockLeft),
    EventType("FulfilmentPaymentChanged", 1, FulfilmentPaymentChanged),
    EventType("FulfilmentOrderChanged", 1, FulfilmentOrderChanged),
    EventType("FulfilmentFailed", 1, FulfilmentFailed),
    EventType("RefundPostponed", 1, RefundPostponed),
    EventType("ShipmentOverdue", 1, ShipmentOverdue),
)
