"""A payment provider in memory: the port's second adapter, for tests that step through what may happen."""

from msgspec.structs import replace

from infrastructure.outside.payments import Charge, ChargePage, ProviderEvent, Refund, RefusedByProvider


class MemoryProvider:
    """What settles later does so when `settle` is called; `told` are the webhooks that came of it.

    The customer decides, as at the sandbox: card-declined, settles-later, declined-later, refund-fails, refund-later.
    """

    def __init__(self) -> None:
        self.told: list[ProviderEvent] = []
        self.charges: dict[str, Charge] = {}
        self._customers: dict[str, str] = {}
        self._asked: dict[str, tuple[object, ...]] = {}
        self._charge_of: dict[str, str] = {}
        self._refund_of: dict[str, tuple[str, str]] = {}
        self._changed: list[str] = []

    async def charge(self, key: str, amount: int, currency: str, *, reference: str, customer: str) -> Charge:
        if not (amount >= 1 and len(currency) == 3 and currency.isupper()):
            raise RefusedByProvider("malformed")
        if key not in self._charge_of:
            charge_id = f"ch_{len(self.charges) + 1}"
            status, decline = "succeeded", ""
            if customer.startswith("card-declined"):
                status, decline = "declined", "the card was declined"
            elif customer.startswith(("settles-later", "declined-later")):
                status = "pending"
            made = Charge(charge_id, reference, amount, currency, status, decline)  # type: ignore[arg-type]
            self._charge_of[key], self._customers[charge_id] = charge_id, customer
            self._put(made)
        return self.charges[self._charge_of[key]]

    async def refund(self, key: str, charge_id: str, amount: int, reason: str) -> Refund:
        asked = (charge_id, amount, reason)
        if self._asked.setdefault(key, asked) != asked:
            raise RefusedByProvider("key-reused")
        if key not in self._refund_of:
            charge = self.charges.get(charge_id)
            taken = 0 if charge is None else sum(one.amount for one in charge.refunds if one.status != "failed")
            if charge is None or charge.status != "succeeded" or not 1 <= amount <= charge.amount - taken:
                del self._asked[key]
                raise RefusedByProvider("more than is left")
            customer = self._customers[charge_id]
            status = "succeeded"
            if customer.startswith("refund-fails"):
                status = "failed"
            elif customer.startswith("refund-later"):
                status = "pending"
            failure = "the account is closed" if status == "failed" else ""
            refund_id = f"re_{len(self._refund_of) + 1}"
            refund = Refund(refund_id, charge_id, amount, status, failure)  # type: ignore[arg-type]
            self._refund_of[key] = (charge_id, refund_id)
            self._put(_with(charge, refund))
        charge_id, refund_id = self._refund_of[key]
        return next(one for one in self.charges[charge_id].refunds if one.refund_id == refund_id)

    async def get(self, charge_id: str) -> Charge | None:
        return self.charges.get(charge_id)

    async def find(self, key: str) -> Charge | None:
        return self.charges[self._charge_of[key]] if key in self._charge_of else None

    async def list_since(self, cursor: str | None, limit: int = 100) -> ChargePage:
        after = int(cursor or 0)
        last = {charge_id: place for place, charge_id in enumerate(self._changed, 1)}
        new = sorted((place, charge_id) for charge_id, place in last.items() if place > after)
        page = new[:limit]
        reached = page[-1][0] if page else after
        return ChargePage(tuple(self.charges[one] for _, one in page), str(reached), len(new) > limit)

    async def ping(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def settle(self) -> None:
        """Whatever is pending ends, each with a webhook."""
        for charge in list(self.charges.values()):
            if charge.status == "pending":
                declined = self._customers[charge.charge_id].startswith("declined-later")
                status, decline = ("declined", "the card was declined") if declined else ("succeeded", "")
                self._put(replace(charge, status=status, decline=decline))
                self._tell(f"charge.{status}", self.charges[charge.charge_id], charge.amount, decline)
            for refund in charge.refunds:
                if refund.status == "pending":
                    self._put(_with(self.charges[charge.charge_id], replace(refund, status="succeeded")))
                    self._tell("refund.succeeded", charge, refund.amount, "", refund.refund_id)

    def _put(self, charge: Charge) -> None:
        self.charges[charge.charge_id] = charge
        self._changed.append(charge.charge_id)

    def _tell(self, kind: str, charge: Charge, amount: int, reason: str, refund_id: str = "") -> None:
        event_id = f"evt_{len(self.told) + 1}"
        about = (charge.reference, charge.charge_id, refund_id, charge.currency)
        self.told.append(ProviderEvent(event_id, kind, *about, amount, charge.amount, reason))


def _with(charge: Charge, refund: Refund) -> Charge:
    """The charge with a refund added, or changed."""
    others = tuple(one for one in charge.refunds if one.refund_id != refund.refund_id)
    refunds = (*others, refund)
    refunded = sum(one.amount for one in refunds if one.status == "succeeded")
    return replace(charge, refunds=refunds, refunded=refunded)
