"""The payment of an order as the other layers see it: its commands, its events and their versions."""

from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType
from domain.payments.commands import (
    RecordCharge,
    RecordDecline,
    RecordRefund,
    RecordRefundFailure,
    RecordSettling,
    RequestCharge,
    VoidPayment,
)
from domain.payments.events import (
    ChargeRequested,
    ChargeSettling,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.payments.payment import Payment, decide, evolve

PAYMENT = Aggregate(
    category="payment",
    plural="payments",
    state=Payment,
    commands=(
        CommandType(
            RequestCharge,
            "request-charge",
            summary="Ask for a customer to be charged for an order",
            access=Access("payments:request-charge"),
        ),
        CommandType(
            RecordSettling,
            "record-settling",
            summary="Record that the provider says later what came of it",
            access=Access("payments:record-settling"),
        ),
        CommandType(
            RecordCharge,
            "record-charge",
            summary="Record that the customer was charged",
            access=Access("payments:record-charge"),
        ),
        CommandType(
            RecordDecline,
            "record-decline",
            summary="Record that the customer will not be charged",
            access=Access("payments:record-decline"),
        ),
        CommandType(VoidPayment, "void", summary="Give a payment up, or back", access=Access("payments:void")),
        CommandType(
            RecordRefund,
            "record-refund",
            summary="Record that the money was given back",
            access=Access("payments:record-refund"),
        ),
        CommandType(
            RecordRefundFailure,
            "record-refund-failure",
            summary="Record that it will not be given back",
            access=Access("payments:record-refund-failure"),
        ),
    ),
    events=(
        EventType("ChargeRequested", 1, ChargeRequested),
        EventType("ChargeSettling", 1, ChargeSettling),
        EventType("PaymentCharged", 1, PaymentCharged),
        EventType("PaymentDeclined", 1, PaymentDeclined),
        EventType("PaymentVoided", 1, PaymentVoided),
        EventType("RefundRequested", 1, RefundRequested),
        EventType("PaymentRefunded", 1, PaymentRefunded),
        EventType("RefundFailed", 1, RefundFailed),
    ),
    decide=decide,
    evolve=evolve,
    owner="customer_id",
    read_access=Access("payments:read"),
)
