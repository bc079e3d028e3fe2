"""The fulfilment of an order: its state, and how an event changes it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.processes.order_fulfilment.events import (
    FulfilmentEvent,
    FulfilmentFailed,
    FulfilmentOrderChanged,
    FulfilmentPaymentChanged,
    FulfilmentStarted,
    OrderStatus,
    PaymentStatus,
    RefundPostponed,
    ShipmentOverdue,
    StockGivenBack,
    StockHeld,
    StockLeft,
    StockRefused,
)

PAID = (PaymentStatus.CHARGED, PaymentStatus.FREE)
"""Nothing is left to be paid."""
CLOSED = (
    PaymentStatus.FREE,
    PaymentStatus.NOT_REQUESTED,
    PaymentStatus.DECLINED,
    PaymentStatus.VOIDED,
    PaymentStatus.REFUNDED,
)
"""No money of the customer is with us, and none is on its way."""


class StockStatus(StrEnum):
    ASKED = "asked"
    HELD = "held"
    REFUSED = "refused"
    GIVEN_BACK = "given_back"
    LEFT = "left"


class Article(Struct, frozen=True):
    """How much is needed of an article, and how its reservation stands."""

    quantity: int
    status: StockStatus = StockStatus.ASKED


class Fulfilment(Struct, frozen=True):
    """`failure` is why it is being undone, "" while it is not. `refusals` counts the refunds that the provider refused,
    `reminders` those that the order is not shipped."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    stock: Mapping[str, Article]
    payment: PaymentStatus
    order: OrderStatus = OrderStatus.PENDING
    failure: str = ""
    refusals: int = 0
    reminders: int = 0

    def skus(self, *statuses: StockStatus) -> list[str]:
        """The articles whose reservations stand like this."""
        return [sku for sku, article in self.stock.items() if article.status in statuses]


def evolve(fulfilment: Fulfilment | None, event: FulfilmentEvent) -> Fulfilment:
    """The fulfilment after the event."""
    if isinstance(event, FulfilmentStarted):
        return Fulfilment(
            event.order_id,
            event.customer_id,
            event.currency,
            event.total,
            {need.sku: Article(need.quantity) for need in event.needs},
            PaymentStatus.NOT_REQUESTED if event.total else PaymentStatus.FREE,
        )
    if fulfilment is None:
        raise ValueError(f"{type(event).__name__} stands before FulfilmentStarted for order {event.order_id}")
    match event:
        case StockHeld():
            return _with_article(fulfilment, event.sku, StockStatus.HELD)
        case StockRefused():
            return _with_article(fulfilment, event.sku, StockStatus.REFUSED)
        case StockGivenBack():
            return _with_article(fulfilment, event.sku, StockStatus.GIVEN_BACK)
        case StockLeft():
            return _with_article(fulfilment, event.sku, StockStatus.LEFT)
        case FulfilmentPaymentChanged():
            return replace(fulfilment, payment=event.status)
        case FulfilmentOrderChanged():
            return replace(fulfilment, order=event.status)
        case FulfilmentFailed():
            return replace(fulfilment, failure=event.reason)
        case RefundPostponed():
            return replace(fulfilment, refusals=event.attempt)
        case ShipmentOverdue():
            return replace(fulfilment, reminders=event.reminder)


def fold(fulfilment: Fulfilment | None, events: Sequence[FulfilmentEvent]) -> Fulfilment | None:
    """The fulfilment after all of the events."""
    for event in events:
        fulfilment = evolve(fulfilment, event)
    return fulfilment


def _with_article(fulfilment: Fulfilment, sku: str, status: StockStatus) -> Fulfilment:
    article = replace(fulfilment.stock[sku], status=status)
    return replace(fulfilment, stock={**fulfilment.stock, sku: article})
