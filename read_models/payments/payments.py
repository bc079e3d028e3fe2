"""The payment of each order, with the time of every step; by status and by customer."""

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from domain.payments.events import (
    ChargeRequested,
    ChargeSettling,
    PaymentCharged,
    PaymentDeclined,
    PaymentEvent,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.payments.payment import Status
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import KeyQuery, ListQuery
from read_models.model.view import View, millis


class PaymentDocument(Struct, frozen=True, omit_defaults=True, gc=False):
    """Times are epoch milliseconds, amounts in minor units. `reason` is why it was declined, given up or given back, or
    why the provider would not give it back, whichever came last. `version` is the stream's revision;
    `requested_position` orders the list's pages.
    """

    order_id: str
    customer_id: str
    currency: str
    amount: int
    status: str
    requested_at: int
    updated_at: int
    version: int
    requested_position: int
    charge_id: str | None = None
    refund_id: str | None = None
    reason: str | None = None
    settling_at: int | None = None
    charged_at: int | None = None
    declined_at: int | None = None
    voided_at: int | None = None
    refund_requested_at: int | None = None
    refunded_at: int | None = None
    refund_failed_at: int | None = None


def keys(event: PaymentEvent) -> tuple[str, ...]:
    """The document of the order's payment."""
    return (event.order_id,)


def fold(payment: PaymentDocument | None, recorded: RecordedEvent[PaymentEvent]) -> PaymentDocument:
    """The payment's document after the event."""
    event = recorded.event
    if isinstance(event, ChargeRequested):
        return _requested(event, recorded)
    if payment is None:
        raise ValueError(f"{type(event).__name__} of order {event.order_id} stands before its ChargeRequested")
    payment = replace(payment, version=recorded.revision)
    match event:
        case ChargeSettling():
            at = millis(event.settling_at)
            return replace(payment, status=Status.SETTLING, charge_id=event.charge_id, settling_at=at, updated_at=at)
        case PaymentCharged():
            at = millis(event.charged_at)
            return replace(payment, status=Status.CHARGED, charge_id=event.charge_id, charged_at=at, updated_at=at)
        case PaymentDeclined():
            at = millis(event.declined_at)
            return replace(payment, status=Status.DECLINED, reason=event.reason, declined_at=at, updated_at=at)
        case PaymentVoided():
            at = millis(event.voided_at)
            return replace(payment, status=Status.VOIDED, reason=event.reason, voided_at=at, updated_at=at)
        case RefundRequested():
            at = millis(event.requested_at)
            return replace(payment, status=Status.REFUNDING, reason=event.reason, refund_requested_at=at, updated_at=at)
        case PaymentRefunded():
            at = millis(event.refunded_at)
            return replace(payment, status=Status.REFUNDED, refund_id=event.refund_id, refunded_at=at, updated_at=at)
        case RefundFailed():
            at = millis(event.failed_at)
            return replace(
                payment, status=Status.REFUND_FAILED, reason=event.reason, refund_failed_at=at, updated_at=at
            )


def _requested(event: ChargeRequested, recorded: RecordedEvent[PaymentEvent]) -> PaymentDocument:
    requested_at = millis(event.requested_at)
    return PaymentDocument(
        order_id=event.order_id,
        customer_id=event.customer_id,
        currency=event.currency,
        amount=event.amount,
        status=Status.REQUESTED,
        requested_at=requested_at,
        updated_at=requested_at,
        version=recorded.revision,
        requested_position=recorded.position,
    )


PAYMENTS = View(
    name="payments",
    version=1,
    document=PaymentDocument,
    events=frozenset(
        {
            ChargeRequested,
            ChargeSettling,
            PaymentCharged,
            PaymentDeclined,
            PaymentVoided,
            RefundRequested,
            PaymentRefunded,
            RefundFailed,
        }
    ),
    keys=keys,
    fold=fold,
    indexes=(("requested_position",), ("status", "requested_position"), ("customer_id", "requested_position")),
    per_stream=True,
    dropped_with="payment",
    begins_with=frozenset({ChargeRequested}),
    queries=(
        KeyQuery(
            path="/payments/{payment_id}",
            operation="GetPayment",
            access=Access("payments:read", owner="customer_id"),
            summary="The payment of an order, with the time of every step",
            description="A payment has the id of its order. The `ETag` is the one that commands take in `If-Match`.",
            key=Parameter("payment_id", Identifier()),
            noun="payment",
            version_field="version",
            aggregate="payment",
        ),
        ListQuery(
            path="/payments",
            operation="ListPayments",
            access=Access("payments:read", owner="customer_id"),
            summary="Payments, newest first",
            filters=(
                Parameter("status", OneOf(tuple(status.value for status in Status)), "Only payments with this status"),
                Parameter("customer_id", Identifier(), "Only payments of this customer"),
            ),
            sort="requested_position",
        ),
    ),
)
