"""What the fulfilment of an order does about a trigger: pure, and the same whatever came before it in which order.

A decision is made in two parts: what the trigger tells (facts.py), and then, from the state alone, what is to be done
next. So it does not matter which of two things that happened at the same moment came first.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain.model.process import Answer, Command, Decision, Failure, ProcessContext, Timer, TimerDue
from domain.ordering.events import OrderCreated
from domain.processes.order_fulfilment import steps
from domain.processes.order_fulfilment.events import (
    FulfilmentEvent,
    OrderStatus,
    PaymentStatus,
    RefundPostponed,
    ShipmentOverdue,
)
from domain.processes.order_fulfilment.facts import (
    PAYMENT_TIMEOUT,
    REFUND_RETRY,
    SHIPMENT_REMINDER,
    Facts,
    started,
)
from domain.processes.order_fulfilment.fulfilment import CLOSED, PAID, Fulfilment, StockStatus, evolve, fold

FULFILLED, CANCELLED = "fulfilled", "cancelled"
"""The outcomes."""


class FulfilmentTimes(Struct, frozen=True):
    """How long what is waited for may take. A refund that the provider refuses is asked for again `refund_retries`
    times (at least 1), each after `refund_retry`."""

    payment: timedelta = timedelta(minutes=30)
    shipment_reminder: timedelta = timedelta(days=3)
    most_reminders: int = 10
    refund_retry: timedelta = timedelta(hours=1)
    refund_retries: int = 3


def decide(trigger: Any, fulfilment: Fulfilment | None, context: ProcessContext, times: FulfilmentTimes) -> Decision:
    """What is done about an event of the contexts, an answer to a command, or a timer."""
    if fulfilment is None:
        if not isinstance(trigger, OrderCreated):
            raise ValueError(f"{type(trigger).__name__} comes before the fulfilment of {context.instance} has begun")
        events: Sequence[FulfilmentEvent] = [started(trigger, context)]
        begun = fold(None, events)
        assert begun is not None
        return Decision(events, [steps.reserve(begun, sku) for sku in begun.stock])
    if isinstance(trigger, OrderCreated):
        return Decision()  # the order was deleted and placed anew: its first fulfilment is the one that counts
    events = Facts(fulfilment, context).of(trigger)
    after = fulfilment
    for event in events:
        after = evolve(after, event)
    failures = [*_cancel_failed(after, trigger), *_refund_failed(after, events, times)]
    context = replace(context, open=context.open | {failure.step for failure in failures})
    commands = _backward(after, context) if after.failure else _forward(after, context)
    timers = _timers(fulfilment, after, events, commands, context, times)
    if _asks_too_early(trigger, after):
        timers.append(Timer(REFUND_RETRY, context.at + times.refund_retry))
    is_over = not commands and not failures and not context.open and _is_over(after)
    if fulfilment == after and not commands and not timers and not failures and not is_over:
        return Decision()
    return Decision(
        events=events,
        commands=commands,
        timers=timers,
        cancelled_timers=_pointless_timers(after, context),
        failures=failures,
        ended=(CANCELLED if after.failure else FULFILLED) if is_over else "",
    )


def _forward(fulfilment: Fulfilment, context: ProcessContext) -> list[Command]:
    """The next steps while all goes well: all stock, then the charge, then the confirmation; once shipped, all of the
    stock leaves."""
    if fulfilment.skus(StockStatus.ASKED):
        return []
    if fulfilment.payment is PaymentStatus.NOT_REQUESTED:
        return _unless_open([steps.charge(fulfilment)], context)
    if fulfilment.payment not in PAID:
        return []
    if fulfilment.order is OrderStatus.PENDING:
        return _unless_open([steps.confirm(fulfilment)], context)
    if fulfilment.order is OrderStatus.SHIPPED:
        held = fulfilment.skus(StockStatus.HELD)
        return _unless_open([steps.ship_out(fulfilment, sku) for sku in held], context)
    return []


def _backward(fulfilment: Fulfilment, context: ProcessContext) -> list[Command]:
    """The next compensations, in the reverse order of what was done: payment, stock, order.

    What is under way forward is waited for first, because nobody knows yet what of it is to be undone. The next one
    begins once the one before has been accepted: a refund itself may take days.
    """
    if any(steps.is_forward(step) for step in context.open):
        return []
    if fulfilment.payment in (PaymentStatus.REQUESTED, PaymentStatus.CHARGED):
        return _unless_open([steps.void(fulfilment)], context)
    if steps.VOID in context.open and fulfilment.payment is not PaymentStatus.REFUND_FAILED:
        return []
    held = fulfilment.skus(StockStatus.HELD)
    if held:
        return _unless_open([steps.release(fulfilment, sku) for sku in held], context)
    if fulfilment.order in (OrderStatus.CANCELLED, OrderStatus.GONE, OrderStatus.CANCEL_REFUSED):
        return []
    return _unless_open([steps.cancel(fulfilment)], context)


def _unless_open(commands: Sequence[Command], context: ProcessContext) -> list[Command]:
    return [command for command in commands if command.step not in context.open]


def _is_over(fulfilment: Fulfilment) -> bool:
    if fulfilment.failure:
        nothing_held = not fulfilment.skus(StockStatus.ASKED, StockStatus.HELD)
        is_cancelled = fulfilment.order in (OrderStatus.CANCELLED, OrderStatus.GONE)
        return nothing_held and is_cancelled and fulfilment.payment in CLOSED
    all_left = len(fulfilment.skus(StockStatus.LEFT)) == len(fulfilment.stock)
    return all_left and fulfilment.order is OrderStatus.SHIPPED and fulfilment.payment in PAID


def _cancel_failed(fulfilment: Fulfilment, trigger: Any) -> list[Failure]:
    """An order that was shipped can't be cancelled any more: somebody must look after it."""
    too_late = isinstance(trigger, Answer) and (trigger.step, trigger.code) == (steps.CANCEL, steps.TOO_LATE_TO_CANCEL)
    if too_late and fulfilment.order is OrderStatus.SHIPPED:
        return [Failure(steps.CANCEL, "order-was-shipped", f"it was shipped, although {fulfilment.failure}")]
    return []


def _refund_failed(fulfilment: Fulfilment, events: Sequence[FulfilmentEvent], times: FulfilmentTimes) -> list[Failure]:
    """The provider has refused a refund so often that it is not asked again."""
    for event in events:
        if isinstance(event, RefundPostponed) and event.attempt > times.refund_retries:
            return [Failure(steps.VOID, "refund-failed", event.reason)]
    return []


def _asks_too_early(trigger: Any, fulfilment: Fulfilment) -> bool:
    """It is time to ask for the refund again, but the request that was refused is not answered yet."""
    is_time = isinstance(trigger, TimerDue) and trigger.name == REFUND_RETRY
    return is_time and fulfilment.payment is PaymentStatus.REFUND_FAILED


def _timers(
    before: Fulfilment,
    after: Fulfilment,
    events: Sequence[FulfilmentEvent],
    commands: Sequence[Command],
    context: ProcessContext,
    times: FulfilmentTimes,
) -> list[Timer]:
    timers = []
    if any(command.step == steps.CHARGE for command in commands):
        timers.append(Timer(PAYMENT_TIMEOUT, context.at + times.payment))
    confirmed = after.order is OrderStatus.CONFIRMED and before.order is not OrderStatus.CONFIRMED
    reminded = any(isinstance(event, ShipmentOverdue) for event in events) and after.reminders < times.most_reminders
    if (confirmed or reminded) and not after.failure:
        timers.append(Timer(SHIPMENT_REMINDER, context.at + times.shipment_reminder))
    if any(isinstance(event, RefundPostponed) and event.attempt <= times.refund_retries for event in events):
        timers.append(Timer(REFUND_RETRY, context.at + times.refund_retry))
    return timers


def _pointless_timers(after: Fulfilment, context: ProcessContext) -> list[str]:
    """The timers that wait for what has happened, or will not happen any more."""
    waits_for_payment = after.payment in (PaymentStatus.NOT_REQUESTED, PaymentStatus.REQUESTED)
    pointless = {
        PAYMENT_TIMEOUT: bool(after.failure) or not waits_for_payment,
        SHIPMENT_REMINDER: bool(after.failure) or after.order is not OrderStatus.CONFIRMED,
        REFUND_RETRY: after.payment is not PaymentStatus.REFUND_FAILED,
    }
    return [name for name in context.timers if pointless.get(name, False)]
