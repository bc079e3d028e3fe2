"""Reads both sides, compares them, and mends what can be mended."""

import asyncio

from msgspec import Struct

from application.payment_records import PaymentRecords, Recorded
from domain.payments.aggregate import PAYMENT
from domain.payments.payment import Payment
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.payments.provider_results.results import ProviderResults, Status
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.outside.commands import CommandSender
from infrastructure.outside.payments import Charge, PaymentProvider
from ops.errors import CommandFailed
from ops.payments.comparison import Difference, Money, compare, money

_PAGE = 500


class Reconciled(Struct, frozen=True):
    """What was found. `mismatched` and `waiting` count what the provider told by webhook and a payment contradicts, or
    that has found no payment."""

    payments: int
    charges: int
    money: dict[str, Money]
    mismatched: int
    waiting: int
    differences: list[Difference]


class Reconciliation:
    """Payments are folded from the log itself, so that no view that is behind can be at fault."""

    def __init__(self, log: EventStore, provider: PaymentProvider, *, wait: float) -> None:
        self._log = log
        self._provider = provider
        self._wait = wait
        self._codec = EventCodec((PAYMENT, PROVIDER_RESULTS))

    async def run(self) -> Reconciled:
        """What differs, and still did `wait` seconds later: what was under way at one look is none."""
        first = await self._look()
        if not first.differences or not self._wait:
            return first
        await asyncio.sleep(self._wait)
        again = await self._look()
        before = {one.identity for one in first.differences}
        lasting = [one for one in again.differences if one.identity in before]
        return Reconciled(again.payments, again.charges, again.money, again.mismatched, again.waiting, lasting)

    async def _look(self) -> Reconciled:
        charges = await self._charges()
        payments, told = await self._streams()
        results = [result.status for one in told.values() for result in one.results.values()]
        return Reconciled(
            payments=len(payments),
            charges=len(charges),
            money=money(payments.values(), charges),
            mismatched=results.count(Status.MISMATCHED),
            waiting=results.count(Status.WITHOUT_PAYMENT),
            differences=compare(payments, charges),
        )

    async def _charges(self) -> list[Charge]:
        """Each once, as it was last listed: a charge that changes meanwhile is listed again."""
        found: dict[str, Charge] = {}
        cursor, more = None, True
        while more:
            page = await self._provider.list_since(cursor, _PAGE)
            found |= {one.charge_id: one for one in page.charges}
            cursor, more = page.cursor, page.more
        return list(found.values())

    async def _streams(self) -> tuple[dict[str, Payment], dict[str, ProviderResults]]:
        payments: dict[str, Payment] = {}
        told: dict[str, ProviderResults] = {}
        async for stored in self._log.read_all():
            category, _, name = stored.stream.partition("-")
            if stored.is_of_the_store or category not in (PAYMENT.category, PROVIDER_RESULTS.category):
                continue
            event = self._codec.decode(stored).event
            try:
                if category == PAYMENT.category:
                    payments[name] = PAYMENT.evolve(payments.get(name), event)
                else:
                    told[name] = PROVIDER_RESULTS.evolve(told.get(name), event)
            except (ValueError, KeyError) as error:
                raise CommandFailed(f"stream {stored.stream} is not whole: {error}") from error
        return payments, told


async def mend(differences: list[Difference], commands: CommandSender) -> dict[str, str]:
    """Records what the provider has done; answers by reference what could not be recorded, and why."""
    records, refused = PaymentRecords(commands), {}
    for one in differences:
        if one.mend is None or one.charge is None:
            continue
        recorded, detail = await _record(records, one, one.charge)
        if recorded is not Recorded.AGREES:
            refused[one.reference] = detail
    return refused


async def _record(records: PaymentRecords, one: Difference, charge: Charge) -> tuple[Recorded, str]:
    if one.mend == "record-charge":
        return await records.charge(one.reference, charge.charge_id, charge.currency, charge.amount)
    if one.mend == "record-decline":
        return await records.decline(one.reference, charge.decline, charge.charge_id)
    last = next(refund for refund in reversed(charge.refunds) if refund.status == "succeeded")
    return await records.refund(one.reference, last.refund_id)
