"""What payments publishes. Times are aware and in UTC; amounts are in minor units of `currency`."""

from datetime import UTC, datetime

from msgspec import Struct

from domain.model.publication import IntegrationEvent, Publication
from domain.payments import events


class PaymentSucceeded(Struct, frozen=True, gc=False):
    """The customer has paid for the order."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    paid_at: datetime


class PaymentDeclined(Struct, frozen=True, gc=False):
    """The customer could not be charged for the order."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    declined_at: datetime


class PaymentRefunded(Struct, frozen=True, gc=False):
    """The money was given back."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    refunded_at: datetime


def _succeeded(event: events.PaymentCharged) -> PaymentSucceeded:
    return PaymentSucceeded(event.order_id, event.customer_id, event.currency, event.amount, event.charged_at)


def _declined(event: events.PaymentDeclined) -> PaymentDeclined:
    return PaymentDeclined(event.order_id, event.customer_id, event.currency, event.amount, event.declined_at)


def _refunded(event: events.PaymentRefunded) -> PaymentRefunded:
    return PaymentRefunded(event.order_id, event.customer_id, event.currency, event.amount, event.refunded_at)


_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

PUBLISHED_BY_PAYMENTS = Publication(
    context="payments",
    events=(
        IntegrationEvent("payment-succeeded", 1, PaymentSucceeded),
        IntegrationEvent("payment-declined", 1, PaymentDeclined),
        IntegrationEvent("payment-refunded", 1, PaymentRefunded),
    ),
    mapping={
        events.PaymentCharged: (_succeeded,),
        events.PaymentDeclined: (_declined,),
        events.PaymentRefunded: (_refunded,),
    },
    subject=lambda event: event.order_id,
    examples=(
        events.PaymentCharged("1042", "ada", "EUR", 850, "ch_17", _AT),
        events.PaymentDeclined("1042", "ada", "EUR", 850, "no funds", _AT),
        events.PaymentRefunded("1042", "ada", "EUR", 850, "re_17", _AT, _AT),
    ),
)
