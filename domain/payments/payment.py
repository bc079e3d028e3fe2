"""The payment of an order: its state, what it decides on a command, and how an event changes it."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.payments.commands import (
    PaymentCommand,
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
    PaymentEvent,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.payments.rules import check


class Status(StrEnum):
    REQUESTED = "requested"
    SETTLING = "settling"
    CHARGED = "charged"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDING = "refunding"
    REFUND_FAILED = "refund_failed"
    REFUNDED = "refunded"


OPEN = (Status.REQUESTED, Status.SETTLING)
"""The states of a payment that may still succeed or fail."""


class Payment(Struct, frozen=True):
    """What the rules need to remember of a payment. `charge_id` is what the provider calls the charge, once known."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    status: Status
    charge_id: str = ""
    charged_at: datetime | None = None


def decide(command: PaymentCommand, payment: Payment | None, context: CommandContext) -> list[PaymentEvent]:
    """The events that the command causes.

    Raises InvalidCommand when the command can never be right, RuleViolation when the payment's state forbids it,
    NoSuchAggregate when there is no payment and the command is not RequestCharge.
    """
    check(command, context)
    if isinstance(command, RequestCharge):
        return [_request(command, payment, context)]
    if payment is None:
        raise NoSuchAggregate(f"there is no payment for order {context.aggregate_id}")
    order_id, at = payment.order_id, context.at
    match command:
        case RecordSettling(charge_id):
            _require(payment, "settling", Status.REQUESTED)
            return [ChargeSettling(order_id, charge_id, at)]
        case RecordCharge():
            return _charge(command, payment, at)
        case RecordDecline(reason):
            _require(payment, "declined", *OPEN, Status.VOIDED)
            return [PaymentDeclined(order_id, payment.customer_id, payment.currency, payment.amount, reason, at)]
        case VoidPayment(reason):
            _require(payment, "given up", *OPEN, Status.CHARGED, Status.REFUND_FAILED)
            if payment.status in OPEN:
                return [PaymentVoided(order_id, reason, at)]
            return [_refund_request(payment, reason, at)]
        case RecordRefund(refund_id):
            _require(payment, "refunded", Status.REFUNDING, Status.REFUND_FAILED)
            return [_refunded(payment, refund_id, at)]
        case RecordRefundFailure(reason):
            _require(payment, "found impossible to refund", Status.REFUNDING)
            return [RefundFailed(order_id, reason, at)]


def _request(command: RequestCharge, payment: Payment | None, context: CommandContext) -> ChargeRequested:
    if payment is not None:
        detail = f"the payment for order {payment.order_id} has been requested already; it is {payment.status}"
        raise RuleViolation("payment-exists", detail)
    return ChargeRequested(context.aggregate_id, command.customer_id, command.currency, command.amount, context.at)


def _charge(command: RecordCharge, payment: Payment, at: datetime) -> list[PaymentEvent]:
    """A charge that comes through although the payment was given up is recorded, and given back at once."""
    _require(payment, "charged", *OPEN, Status.VOIDED)
    if (command.currency, command.amount) != (payment.currency, payment.amount):
        detail = (
            f"{command.amount} {command.currency} were charged for order {payment.order_id}, but "
            f"{payment.amount} {payment.currency} were asked for"
        )
        raise RuleViolation("amount-differs", detail)
    if payment.charge_id and command.charge_id != payment.charge_id:
        detail = (
            f"charge {command.charge_id} is not {payment.charge_id}, the one under way for order {payment.order_id}"
        )
        raise RuleViolation("another-charge", detail)
    charged = PaymentCharged(
        payment.order_id, payment.customer_id, payment.currency, payment.amount, command.charge_id, at
    )
    if payment.status is not Status.VOIDED:
        return [charged]
    return [charged, _refund_request(evolve(payment, charged), "it was charged after the payment was given up", at)]


def _refund_request(payment: Payment, reason: str, at: datetime) -> RefundRequested:
    return RefundRequested(payment.order_id, payment.currency, payment.amount, payment.charge_id, reason, at)


def _refunded(payment: Payment, refund_id: str, at: datetime) -> PaymentRefunded:
    assert payment.charged_at is not None, "only what was charged is given back"
    return PaymentRefunded(
        order_id=payment.order_id,
        customer_id=payment.customer_id,
        currency=payment.currency,
        amount=payment.amount,
        refund_id=refund_id,
        charged_at=payment.charged_at,
        refunded_at=at,
    )


def _require(payment: Payment, becoming: str, *allowed: Status) -> None:
    if payment.status not in allowed:
        detail = (
            f"the payment for order {payment.order_id} is {payment.status}; only one that is {' or '.join(allowed)} "
            f"can be {becoming}"
        )
        raise RuleViolation(f"payment-is-{payment.status.replace('_', '-')}", detail)


def evolve(payment: Payment | None, event: PaymentEvent) -> Payment:
    """The payment after the event."""
    if isinstance(event, ChargeRequested):
        return Payment(event.order_id, event.customer_id, event.currency, event.amount, Status.REQUESTED)
    if payment is None:
        raise ValueError(f"{type(event).__name__} stands before ChargeRequested in the stream of {event.order_id}")
    match event:
        case ChargeSettling():
            return replace(payment, status=Status.SETTLING, charge_id=event.charge_id)
        case PaymentCharged():
            return replace(payment, status=Status.CHARGED, charge_id=event.charge_id, charged_at=event.charged_at)
        case PaymentDeclined():
            return replace(payment, status=Status.DECLINED)
        case PaymentVoided():
            return replace(payment, status=Status.VOIDED)
        case RefundRequested():
            return replace(payment, status=Status.REFUNDING)
        case PaymentRefunded():
            return replace(payment, status=Status.REFUNDED)
        case RefundFailed():
            return replace(payment, status=Status.REFUND_FAILED)
