"""The fulfilment of an order as the process manager sees it."""

from functools import partial
from typing import Any

from domain.model.process import Process
from domain.ordering.events import OrderCancelled, OrderConfirmed, OrderCreated, OrderShipped
from domain.payments.events import (
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.processes.order_fulfilment.decider import CANCELLED, FULFILLED, FulfilmentTimes, decide
from domain.processes.order_fulfilment.events import FULFILMENT_EVENTS
from domain.processes.order_fulfilment.fulfilment import Fulfilment, evolve


def order_fulfilment(times: FulfilmentTimes) -> Process:
    """The process with these times."""
    return Process(
        name="order_fulfilment",
        version=1,
        state=Fulfilment,
        events=FULFILMENT_EVENTS,
        starts={OrderCreated: _order},
        reacts={
            OrderConfirmed: _order,
            OrderShipped: _order,
            OrderCancelled: _order,
            PaymentCharged: _order,
            PaymentDeclined: _order,
            PaymentVoided: _order,
            RefundRequested: _order,
            PaymentRefunded: _order,
            RefundFailed: _order,
        },
        decide=partial(decide, times=times),
        evolve=evolve,
        # A charge may succeed after it was given up; it is given back then, and that may fail.
        reopened_by=frozenset({RefundRequested, RefundFailed}),
        outcomes=(FULFILLED, CANCELLED),
    )


def _order(event: Any) -> str:
    order_id: str = event.order_id
    return order_id


ORDER_FULFILMENT = order_fulfilment(FulfilmentTimes())
