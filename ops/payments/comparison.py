"""What differs between our payments and the provider's charges. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from domain.payments.payment import OPEN, Payment, Status
from infrastructure.outside.payments import Charge

KEPT = (Status.CHARGED, Status.REFUNDING, Status.REFUND_FAILED)
"""The states in which the customer's money is with us."""

MendBy = Literal["record-charge", "record-decline", "record-refund"]


class Difference(Struct, frozen=True):
    """`kind` is a stable word; `ours` and `theirs` are for people. `mend` is the command that makes them agree where
    that is safe: to record what the provider has done, and our rules can take."""

    kind: str
    reference: str
    charge_id: str
    ours: str
    theirs: str
    mend: MendBy | None = None
    charge: Charge | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """By which it is recognised when one looks again."""
        return self.kind, self.reference, self.charge_id


class Money(Struct, frozen=True):
    """What was charged and not given back, in minor units."""

    ours: int
    theirs: int


def compare(payments: Mapping[str, Payment], charges: Iterable[Charge]) -> list[Difference]:
    """Every difference, by reference. What is merely under way on both sides is none."""
    by_reference: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        by_reference[charge.reference].append(charge)
    return [
        difference
        for reference in sorted({*payments, *by_reference})
        for difference in _of_one(reference, payments.get(reference), by_reference.get(reference, []))
    ]


def money(payments: Iterable[Payment], charges: Iterable[Charge]) -> dict[str, Money]:
    """By currency."""
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    for payment in payments:
        ours[payment.currency] += payment.amount if payment.status in KEPT else 0
    for charge in charges:
        theirs[charge.currency] += charge.amount - charge.refunded if charge.status == "succeeded" else 0
    return {currency: Money(ours[currency], theirs[currency]) for currency in sorted({*ours, *theirs})}


def _of_one(reference: str, payment: Payment | None, charges: list[Charge]) -> Iterable[Difference]:
    succeeded = [one for one in charges if one.status == "succeeded"]
    if payment is None:
        for unknown in succeeded:
            if unknown.refunded < unknown.amount:
                yield Difference("unknown-charge", reference, unknown.charge_id, "no payment", _shown(unknown))
        return
    charge = _the_one(payment, succeeded, charges)
    for other in succeeded:
        if other is not charge and other.refunded < other.amount:
            yield Difference("charged-twice", reference, other.charge_id, _ours(payment), _shown(other))
    if charge is None:
        if payment.status is Status.SETTLING or payment.status in KEPT or payment.status is Status.REFUNDED:
            yield Difference("charge-missing", reference, payment.charge_id, _ours(payment), "no charge")
        return
    kind, mend = _verdict(payment, charge)
    if kind:
        yield Difference(kind, reference, charge.charge_id, _ours(payment), _shown(charge), mend, charge)


def _the_one(payment: Payment, succeeded: list[Charge], charges: list[Charge]) -> Charge | None:
    """The charge that the payment is about: the one it names, else one that succeeded, else the last."""
    named = next((one for one in charges if one.charge_id == payment.charge_id), None)
    return named or next(iter(succeeded), None) or next(reversed(charges), None)


def _verdict(payment: Payment, charge: Charge) -> tuple[str, MendBy | None]:
    """The kind of difference, "" for none, and what mends it."""
    status = payment.status
    if charge.status != "succeeded":
        if status in KEPT or status is Status.REFUNDED:
            return f"charge-{charge.status}", None
        return ("decline-missed", "record-decline") if charge.status == "declined" and status in OPEN else ("", None)
    if (charge.amount, charge.currency) != (payment.amount, payment.currency):
        return "amount-differs", None
    if status in OPEN or status is Status.VOIDED:
        return "charge-missed", "record-charge"
    if status is Status.DECLINED:
        return ("charged-though-declined", None) if charge.refunded < charge.amount else ("", None)
    if status is Status.CHARGED:
        return ("refund-not-asked-for", None) if charge.refunded else ("", None)
    if status is Status.REFUNDED:
        return ("refund-missing", None) if charge.refunded < charge.amount else ("", None)
    if charge.refunded == charge.amount:
        return "refund-missed", "record-refund"
    if charge.refunded:
        return "refund-in-part", None
    under_way = any(one.status == "pending" for one in charge.refunds)
    return ("refund-outstanding", None) if status is Status.REFUNDING and not under_way else ("", None)


def _ours(payment: Payment) -> str:
    return f"{payment.status} {payment.amount} {payment.currency}"


def _shown(charge: Charge) -> str:
    refunded = f", {charge.refunded} refunded" if charge.refunded else ""
    return f"{charge.status} {charge.amount} {charge.currency}{refunded}"
