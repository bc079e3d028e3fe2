"""Any order of charges, refunds, webhooks, repeats, reorderings and crashes between any two steps ends with the same:
the provider has the money that our events say it has, and nobody is charged twice."""

import asyncio
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from application.charging import PaymentCharging
from application.matching import PaymentMatching
from domain.payments.aggregate import PAYMENT
from domain.payments.payment import Payment, Status
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.payments.provider_results.results import Status as Told
from ops.payments.comparison import compare
from tests.payments.memory_commands import MemoryCommands
from tests.support.crashing import FOREVER, Crash, Fuse, Fused
from tests.support.memory_provider import MemoryProvider

CUSTOMERS = ("ada", "card-declined", "settles-later", "declined-later", "refund-later", "refund-fails")


class Payments(RuleBasedStateMachine):
    """Two consumers with a place in the log each, a provider, and webhooks on their way."""

    @initialize()
    def begin(self) -> None:
        self.commands = MemoryCommands(PAYMENT, PROVIDER_RESULTS)
        self.provider = MemoryProvider()
        self.fuse = Fuse()
        self.places = {"charging": 0, "matching": 0}
        self.delivered: set[int] = set()
        self.orders: list[str] = []
        self._start()

    def _start(self) -> None:
        commands: Any = Fused(self.commands, self.fuse)
        provider: Any = Fused(self.provider, self.fuse)
        self.consumers: dict[str, Any] = {
            "charging": PaymentCharging(provider, commands),
            "matching": PaymentMatching(commands),
        }

    @rule(customer=st.sampled_from(CUSTOMERS), amount=st.integers(1, 5000))
    def ask(self, customer: str, amount: int) -> None:
        order = f"o-{len(self.orders)}"
        self.orders.append(order)
        body = {"customer_id": customer, "currency": "USD", "amount": amount}
        asyncio.run(self.commands.send("payments", order, "request-charge", body, key=f"ask-{order}"))

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 50), again=st.integers(0, 3))
    def void(self, which: int, again: int) -> None:
        order = self.orders[which % len(self.orders)]
        asyncio.run(self.commands.send("payments", order, "void", {"reason": "no"}, key=f"void-{order}-{again}"))

    @rule(
        name=st.sampled_from(("charging", "matching")),
        steps=st.integers(1, 5),
        calls=st.integers(0, 6),
        before=st.booleans(),
    )
    def work_until_a_crash(self, name: str, steps: int, calls: int, before: bool) -> None:
        """A consumer handles events until its process ends; the event that it was at comes again."""
        self.fuse.calls, self.fuse.before = calls, before
        try:
            self._work(name, steps)
        except Crash:
            self._start()
        finally:
            self.fuse.calls = FOREVER

    @rule(name=st.sampled_from(("charging", "matching")), back=st.integers(1, 10))
    def come_again(self, name: str, back: int) -> None:
        """A checkpoint was older than what had been done."""
        self.places[name] = max(0, self.places[name] - back)
        self._start()

    @rule()
    def settle(self) -> None:
        self.provider.settle()

    @precondition(lambda self: self.provider.told)
    @rule(which=st.integers(0, 50))
    def deliver(self, which: int) -> None:
        """Any of the webhooks, whether it was delivered before or not."""
        self._deliver(which % len(self.provider.told))

    @rule(order=st.integers(0, 8), amount=st.integers(1, 5000))
    def forged_amounts_are_never_taken(self, order: int, amount: int) -> None:
        """Something signed by the provider that is about another amount: kept, never taken."""
        state = self.commands.state.get(f"payment-o-{order}")
        if state is not None and state.amount == amount:
            return
        told = {
            "result_id": f"odd-{order}-{amount}",
            "kind": "charge.succeeded",
            "charge_id": f"ch_odd_{order}",
            "currency": "USD",
            "amount": 5001 + amount,
        }
        asyncio.run(self.commands.send("provider-results", f"o-{order}", "keep", told, key=told["result_id"]))  # type: ignore[arg-type]

    def _deliver(self, which: int) -> None:
        event = self.provider.told[which]
        self.delivered.add(which)
        told = {
            "result_id": event.id,
            "kind": event.kind,
            "charge_id": event.charge_id,
            "refund_id": event.refund_id,
            "currency": event.currency,
            "amount": event.amount,
            "charged": event.charged,
            "reason": event.reason,
            "body": "",
        }
        key = f"webhook-{event.id}"
        answer = asyncio.run(self.commands.send("provider-results", event.reference, "keep", told, key=key))
        assert answer.accepted

    def _work(self, name: str, steps: int) -> None:
        consumer = self.consumers[name]
        while steps and self.places[name] < len(self.commands.log):
            recorded = self.commands.log[self.places[name]]
            if type(recorded.event) in consumer.events:
                asyncio.run(consumer._handle(recorded, consumer.keys(recorded.event)[0]))
                steps -= 1
            self.places[name] += 1

    def teardown(self) -> None:
        """All that is under way comes to its end; then both sides agree."""
        if not hasattr(self, "commands"):
            return
        while True:
            self.provider.settle()
            before = len(self.commands.log), len(self.delivered)
            for which in set(range(len(self.provider.told))) - self.delivered:
                self._deliver(which)
            for name in self.places:
                self._work(name, FOREVER)
            if before == (len(self.commands.log), len(self.delivered)):
                break
        payments: dict[str, Payment] = {order: self.commands.state[f"payment-{order}"] for order in self.orders}
        for order, payment in payments.items():
            assert payment.status in (Status.CHARGED, Status.DECLINED, Status.REFUNDED, Status.REFUND_FAILED), order
        charges = list(self.provider.charges.values())
        assert len({one.reference for one in charges}) == len(charges), "nobody is charged twice"
        assert compare(payments, charges) == []
        for stream, told in self.commands.state.items():
            if stream.startswith("provider_result-"):
                wanted = {Told.MISMATCHED, Told.WITHOUT_PAYMENT} if "odd" in str(told.results) else {Told.MATCHED}
                assert {one.status for one in told.results.values()} <= wanted | {Told.MATCHED}, told
                odd = [one.status for name, one in told.results.items() if name.startswith("odd")]
                assert Told.MATCHED not in odd


TestPayments = Payments.TestCase
TestPayments.settings = hypothesis_settings(max_examples=25, stateful_step_count=40, deadline=None)
