"""given / when / then for processes: what has come so far, something that comes, what is done about it.

It keeps what the engine keeps: the open steps, the timers, the steps that have failed.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.model.process import Answer, Decision, ProcessContext, TimerDue
from domain.ordering.events import Line, OrderCancelled, OrderConfirmed, OrderCreated, OrderShipped
from domain.payments import events as payments
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from domain.processes.order_fulfilment.fulfilment import Fulfilment
from domain.processes.order_fulfilment.process import order_fulfilment

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ORDER, CUSTOMER = "o-1", "ada"
TIMES = FulfilmentTimes(refund_retries=2)


def created(*lines: tuple[str, int, int]) -> OrderCreated:
    """An order of these lines: article, quantity, price of one."""
    made = [Line(sku, quantity, price, 0, quantity * price) for sku, quantity, price in lines or [("A", 2, 50)]]
    total = sum(line.total for line in made)
    return OrderCreated(ORDER, CUSTOMER, "EUR", made, sum(line.quantity for line in made), total, NOON, NOON)


CONFIRMED = OrderConfirmed(ORDER, CUSTOMER, NOON)
SHIPPED = OrderShipped(ORDER, CUSTOMER, "DHL", "1Z", NOON)
CANCELLED = OrderCancelled(ORDER, CUSTOMER, "EUR", 100, NOON, "changed my mind", NOON)
CHARGED = payments.PaymentCharged(ORDER, CUSTOMER, "EUR", 100, "ch_1", NOON)
DECLINED = payments.PaymentDeclined(ORDER, CUSTOMER, "EUR", 100, "no funds", NOON)
VOIDED = payments.PaymentVoided(ORDER, "given up", NOON)
REFUND_REQUESTED = payments.RefundRequested(ORDER, "EUR", 100, "ch_1", "given back", NOON)
REFUNDED = payments.PaymentRefunded(ORDER, CUSTOMER, "EUR", 100, "re_1", NOON, NOON)
REFUND_FAILED = payments.RefundFailed(ORDER, "the card is closed", NOON)


def yes(step: str, code: str = "") -> Answer:
    """The step was carried out; `code` says why nothing was left to do."""
    return Answer(step, True, code=code)


def no(step: str, code: str, status: int = 409) -> Answer:
    """The step was refused."""
    return Answer(step, False, status, code, f"it is {code}")


class Flow:
    """A fulfilment to which all of `triggers` have come, one after another."""

    def __init__(self, *triggers: Any, times: FulfilmentTimes = TIMES) -> None:
        self.process = order_fulfilment(times)
        self.state: Fulfilment | None = None
        self.open: set[str] = set()
        self.timers: dict[str, datetime] = {}
        self.outcome = ""
        self.at = NOON
        self.last = Decision()
        for trigger in triggers:
            self.when(trigger)

    def when(self, trigger: Any) -> "Flow":
        """Something comes."""
        self.at += timedelta(seconds=1)
        if isinstance(trigger, Answer):
            assert trigger.step in self.open, f"{trigger.step} is not open: {sorted(self.open)}"
            self.open.discard(trigger.step)
        if isinstance(trigger, TimerDue):
            self.timers.pop(trigger.name, None)
        if self.outcome and type(trigger) in self.process.reacts and type(trigger) not in self.process.reopened_by:
            self.last = Decision()
            return self
        context = ProcessContext(ORDER, self.at, frozenset(self.open), dict(self.timers))
        decision = self.process.decide(trigger, self.state, context)
        for event in decision.events:
            self.state = self.process.evolve(self.state, event)
        for name in decision.cancelled_timers:
            del self.timers[name]
        self.timers |= {timer.name: timer.due_at for timer in decision.timers}
        for command in decision.commands:
            assert command.step not in self.open
            self.open.add(command.step)
        self.open |= {failure.step for failure in decision.failures}
        if decision != Decision():
            self.outcome = decision.ended
        if decision.ended:
            assert not self.open
            self.timers.clear()
        self.last = decision
        return self

    def due(self, name: str) -> "Flow":
        """A timer that is set comes due."""
        return self.when(TimerDue(name, self.timers[name]))

    def then(self, *steps: str, failed: tuple[str, ...] = (), ended: str = "") -> "Flow":
        """What the last trigger led to: these commands, these failures, this end."""
        found = [command.step for command in self.last.commands]
        assert found == list(steps), f"{found}, not {list(steps)}"
        assert tuple(failure.step for failure in self.last.failures) == failed
        assert self.last.ended == ended, self.last
        return self

    @property
    def commands(self) -> dict[str, Any]:
        """The last commands by step."""
        return {command.step: command for command in self.last.commands}
