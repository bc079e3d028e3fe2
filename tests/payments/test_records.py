"""One order without an answer, and facts that come again in other words."""

from typing import Any

import pytest

from application.charging import PaymentCharging
from application.matching import PaymentMatching
from application.payment_records import PaymentRecords, Recorded
from domain.payments.aggregate import PAYMENT
from domain.payments.provider_results import results
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from infrastructure.outside.payments import sandbox_webhooks
from infrastructure.resilience import DependencyUnavailable
from subscriptions.attempts import Stuck
from tests.payments.memory_commands import MemoryCommands
from tests.support.memory_provider import MemoryProvider


async def asked(commands: MemoryCommands, *orders: str) -> None:
    for order in orders:
        body = {"customer_id": "ada", "currency": "USD", "amount": 1900}
        await commands.send("payments", order, "request-charge", body, key=f"ask-{order}")


class NoAnswerFor(MemoryProvider):
    """Gives no definite answer for some orders."""

    silent: frozenset[str] = frozenset()

    async def charge(self, key: str, amount: int, currency: str, *, reference: str, customer: str) -> Any:
        if reference in self.silent:
            raise DependencyUnavailable("payments", "500", alone=True)
        return await super().charge(key, amount, currency, reference=reference, customer=customer)


async def test_an_order_that_alone_gets_no_answer_is_given_up_after_a_while():
    commands, provider, now = MemoryCommands(PAYMENT, PROVIDER_RESULTS), NoAnswerFor(), 0.0
    await asked(commands, "silent", "other-1", "other-2")
    charging: Any = PaymentCharging(provider, commands, patience=60, clock=lambda: now)
    provider.silent = frozenset({"silent", "other-1", "other-2"})
    silent, other, another = commands.log
    for now in (0.0, 30.0, 100.0, 1000.0):  # noqa: B007 - the clock reads it
        # As long as nobody gets an answer, it is the provider that is away, whatever it says.
        with pytest.raises(DependencyUnavailable):
            await charging._handle(silent, "silent")
    provider.silent = frozenset({"silent"})
    await charging._handle(other, "other-1")
    with pytest.raises(Stuck, match="no answer for 60 s, while others got one"):
        await charging._handle(silent, "silent")
    now = 1001.0
    await charging._handle(another, "other-2")
    provider.silent = frozenset()
    await charging._handle(silent, "silent")
    assert len(provider.charges) == 3
    await charging._handle(silent, "silent")
    assert len(provider.charges) == 3


class Unreadable(MemoryCommands):
    """Can't decide on the payments of some orders: their histories can't be read."""

    unreadable: frozenset[str] = frozenset()

    async def send(self, plural: str, aggregate_id: str, action: str, body: Any, *, key: str, **others: Any) -> Any:
        if plural == "payments" and aggregate_id in self.unreadable:
            raise DependencyUnavailable("commands", "500", alone=True)
        return await super().send(plural, aggregate_id, action, body, key=key, **others)


async def test_a_payment_that_can_not_be_read_holds_up_no_other():
    commands, now = Unreadable(PAYMENT, PROVIDER_RESULTS), 0.0
    await asked(commands, "bad", "good")
    for order in ("bad", "good"):
        told = {"result_id": f"evt_{order}", "kind": "charge.succeeded", "charge_id": f"ch_{order}"}
        told |= {"currency": "USD", "amount": 1900, "charged": 1900}  # type: ignore[dict-item]
        await commands.send("provider-results", order, "keep", told, key=order)
    commands.unreadable = frozenset({"bad"})
    matching: Any = PaymentMatching(commands, patience=60, clock=lambda: now)
    bad, good = commands.log[2:]
    with pytest.raises(DependencyUnavailable):
        await matching._handle(bad, "bad")
    now = 61.0
    await matching._handle(good, "good")
    with pytest.raises(Stuck):
        await matching._handle(bad, "bad")


async def test_the_same_fact_in_other_words_agrees():
    commands = MemoryCommands(PAYMENT)
    records = PaymentRecords(commands)
    await asked(commands, "o-1", "o-2", "o-3")
    for words in ("no funds", "NO FUNDS", "\x00", "x" * 900):
        assert (await records.decline("o-1", words, "ch_1"))[0] is Recorded.AGREES
    await records.charge("o-2", "ch_2", "USD", 1900)
    await commands.send("payments", "o-2", "void", {"reason": "no"}, key="void")
    for words in ("closed", "account closed"):
        assert (await records.refund_failure("o-2", words, "re_1"))[0] is Recorded.AGREES
    # The amount is no words.
    assert (await records.charge("o-2", "ch_2", "USD", 1901))[0] is Recorded.CONTRADICTS
    long = "ch \u00e9" * 30
    assert (await records.charge("o-3", long, "USD", 1900))[0] is Recorded.AGREES
    assert (await records.charge("o-3", long, "USD", 1900))[0] is Recorded.AGREES
    assert (await records.charge("nobody", "ch_3", "USD", 1900))[0] is Recorded.NO_PAYMENT


def test_every_kind_that_the_sandbox_tells_of_is_one_that_is_matched():
    assert frozenset(results.KINDS) == sandbox_webhooks.KINDS
