"""What a trigger tells the fulfilment of an order: the events that it adds, whatever is to be done about them."""

from collections import Counter
from typing import Any

from domain.model.process import RESOLVED, Answer, ProcessContext, TimerDue
from domain.ordering.events import OrderCancelled, OrderConfirmed, OrderCreated, OrderShipped
from domain.payments.events import (
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.processes.order_fulfilment import steps
from domain.processes.order_fulfilment.events import (
    FulfilmentEvent,
    FulfilmentFailed,
    FulfilmentOrderChanged,
    FulfilmentPaymentChanged,
    FulfilmentStarted,
    Need,
    OrderStatus,
    PaymentStatus,
    RefundPostponed,
    ShipmentOverdue,
    StockGivenBack,
    StockHeld,
    StockLeft,
    StockRefused,
)
from domain.processes.order_fulfilment.fulfilment import PAID, Fulfilment

MAX_REASON_LENGTH = 400
PAYMENT_TIMEOUT = "payment"
SHIPMENT_REMINDER = "shipment-reminder"
REFUND_RETRY = "refund-retry"

_OPEN = (PaymentStatus.NOT_REQUESTED, PaymentStatus.REQUESTED)
_AFTER_VOID = {
    "payment-is-declined": PaymentStatus.DECLINED,
    "payment-is-voided": PaymentStatus.VOIDED,
    "payment-is-refunded": PaymentStatus.REFUNDED,
    "payment-is-refunding": PaymentStatus.REFUNDING,
    "not-found": PaymentStatus.VOIDED,
    "deleted": PaymentStatus.VOIDED,
}


class Facts:
    """Collects events of one order at one moment."""

    def __init__(self, fulfilment: Fulfilment, context: ProcessContext) -> None:
        self.events: list[FulfilmentEvent] = []
        self._fulfilment = fulfilment
        self._order_id = fulfilment.order_id
        self._at = context.at
        self._open = context.open

    def of(self, trigger: Any) -> list[FulfilmentEvent]:
        """What the trigger tells."""
        match trigger:
            case Answer():
                self._answer(trigger)
            case TimerDue():
                self._timer(trigger.name)
            case OrderConfirmed() | OrderShipped() | OrderCancelled():
                self._order_event(trigger)
            case _:
                self._payment_event(trigger)
        return self.events

    def _answer(self, answer: Answer) -> None:
        kind, sku = steps.parts(answer.step)
        match kind:
            case steps.RESERVE if answer.accepted:
                self.events.append(StockHeld(self._order_id, sku, self._at))
            case steps.RESERVE:
                self.events.append(StockRefused(self._order_id, sku, _cut(answer.detail), self._at))
                self._fail(f"article {sku} can't be reserved: {answer.detail}")
            case steps.RELEASE:
                self.events.append(StockGivenBack(self._order_id, sku, self._at))
            case steps.SHIP_OUT:
                self.events.append(StockLeft(self._order_id, sku, self._at))
            case steps.CHARGE:
                self._charge_answer(answer)
            case steps.CONFIRM:
                self._confirm_answer(answer)
            case steps.VOID:
                self._void_answer(answer)
            case steps.CANCEL:
                self._cancel_answer(answer)
            case _:
                raise ValueError(f"there is no step {answer.step}")

    def _charge_answer(self, answer: Answer) -> None:
        if not answer.accepted:
            self._fail(f"the payment can't be requested: {answer.detail}")
        elif self._fulfilment.payment is PaymentStatus.NOT_REQUESTED:
            self._payment(PaymentStatus.REQUESTED)

    def _confirm_answer(self, answer: Answer) -> None:
        if self._fulfilment.order is not OrderStatus.PENDING:
            return
        if answer.accepted:
            self._order(OrderStatus.CONFIRMED)
        elif answer.code == "order-not-pending":
            self._order(OrderStatus.CONFIRM_REFUSED)
        else:
            gone = answer.code in ("not-found", "deleted")
            self._order(OrderStatus.GONE if gone else OrderStatus.CONFIRM_REFUSED)
            self._fail(f"the order can't be confirmed: {answer.detail}")

    def _void_answer(self, answer: Answer) -> None:
        if answer.code == RESOLVED:
            self._payment(PaymentStatus.REFUNDED)
        elif self._fulfilment.payment in (PaymentStatus.REQUESTED, PaymentStatus.CHARGED):
            # In any other state, an event has come that is newer than this answer.
            self._payment(_AFTER_VOID.get(answer.code, PaymentStatus.GIVING_UP))

    def _cancel_answer(self, answer: Answer) -> None:
        if answer.code in ("not-found", "deleted"):
            self._order(OrderStatus.GONE)
        elif answer.code != steps.TOO_LATE_TO_CANCEL:
            if self._fulfilment.order is not OrderStatus.CANCELLED:
                self._order(OrderStatus.CANCELLED)
        elif self._fulfilment.order not in (OrderStatus.CANCELLED, OrderStatus.SHIPPED):
            self._order(OrderStatus.CANCEL_REFUSED)

    def _timer(self, name: str) -> None:
        fulfilment = self._fulfilment
        if name == PAYMENT_TIMEOUT and fulfilment.payment in _OPEN:
            self._fail("the payment did not settle in time")
        elif name == REFUND_RETRY and fulfilment.payment is PaymentStatus.REFUND_FAILED:
            # An answer to the refused request that is still to come must not be taken for one to the next.
            if steps.VOID not in self._open:
                self._payment(PaymentStatus.CHARGED)
        elif name == SHIPMENT_REMINDER and fulfilment.order is OrderStatus.CONFIRMED and not fulfilment.failure:
            self.events.append(ShipmentOverdue(self._order_id, fulfilment.reminders + 1, self._at))

    def _order_event(self, event: OrderConfirmed | OrderShipped | OrderCancelled) -> None:
        order = self._fulfilment.order
        match event:
            case OrderConfirmed() if order in (OrderStatus.PENDING, OrderStatus.CONFIRM_REFUSED):
                self._order(OrderStatus.CONFIRMED)
            case OrderShipped():
                self._order(OrderStatus.SHIPPED)
            case OrderCancelled():
                if order is not OrderStatus.CANCELLED:
                    self._order(OrderStatus.CANCELLED)
                self._fail(f"the order was cancelled: {event.reason}")

    def _payment_event(self, event: Any) -> None:
        payment = self._fulfilment.payment
        if self._fulfilment.order is OrderStatus.SHIPPED and payment in PAID:
            return  # what is given back after that is no business of the fulfilment
        match event:
            case PaymentCharged() if payment in _OPEN:
                self._payment(PaymentStatus.CHARGED)
            case PaymentDeclined():
                self._payment(PaymentStatus.DECLINED)
                self._fail(f"the payment was declined: {event.reason}")
            case PaymentVoided():
                self._payment(PaymentStatus.VOIDED)
                self._fail(f"the payment was given up: {event.reason}")
            case RefundRequested():
                self._payment(PaymentStatus.REFUNDING)
                self._fail(f"the payment is given back: {event.reason}")
            case PaymentRefunded():
                self._payment(PaymentStatus.REFUNDED)
                self._fail("the payment was given back")
            case RefundFailed():
                self._payment(PaymentStatus.REFUND_FAILED)
                attempt = self._fulfilment.refusals + 1
                self.events.append(RefundPostponed(self._order_id, attempt, _cut(event.reason), self._at))

    def _payment(self, status: PaymentStatus) -> None:
        self.events.append(FulfilmentPaymentChanged(self._order_id, status, self._at))

    def _order(self, status: OrderStatus) -> None:
        self.events.append(FulfilmentOrderChanged(self._order_id, status, self._at))

    def _fail(self, reason: str) -> None:
        already = self._fulfilment.failure or any(isinstance(event, FulfilmentFailed) for event in self.events)
        if not already:
            self.events.append(FulfilmentFailed(self._order_id, _cut(reason), self._at))


def started(order: OrderCreated, context: ProcessContext) -> FulfilmentStarted:
    """The beginning of the fulfilment: what the order needs of each article, over all its lines."""
    needs: Counter[str] = Counter()
    for line in order.lines:
        needs[line.sku] += line.quantity
    listed = [Need(sku, quantity) for sku, quantity in needs.items()]
    return FulfilmentStarted(context.instance, order.customer_id, order.currency, order.total, listed, context.at)


def _cut(text: str) -> str:
    """A reason that fits into a command, whatever it was made of."""
    shown = " ".join(text.split()) or "no reason was given"
    return shown if len(shown) <= MAX_REASON_LENGTH else shown[: MAX_REASON_LENGTH - 3] + "..."
