"""The figures that are compared: the input file and the query API each come to one set of them."""

from collections import Counter
from dataclasses import dataclass, field

STATUSES = ("pending", "confirmed", "shipped", "delivered", "cancelled")


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """One order; `total` in cents, `steps` the number of commands after the placing."""

    customer_id: str
    status: str
    total: int
    steps: int


@dataclass(frozen=True, slots=True)
class Sales:
    """Orders placed, those of them cancelled, and the amount in cents of those not cancelled."""

    orders: int = 0
    cancelled: int = 0
    amount: int = 0

    def plus(self, amount: int, cancelled: bool) -> "Sales":
        """These sales with one more order."""
        return Sales(self.orders + 1, self.cancelled + cancelled, self.amount + (0 if cancelled else amount))


@dataclass(slots=True)
class Figures:
    """Orders, customers' and days' sales by id, and the parts of the body that a refusal named, by order."""

    orders: dict[str, OrderFigures] = field(default_factory=dict)
    customers: dict[str, Sales] = field(default_factory=dict)
    days: dict[str, Sales] = field(default_factory=dict)
    refused: dict[str, frozenset[str]] = field(default_factory=dict)

    def by_status(self) -> Counter[str]:
        """How many orders have each status."""
        return Counter(order.status for order in self.orders.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two sets of figures disagree; None: it is not there."""

    kind: str
    key: str
    expected: object
    got: object


def differences(expected: Figures, got: Figures) -> list[Difference]:
    """Every row that is not the same in both."""
    return [
        Difference(kind, key, wanted.get(key), found.get(key))
        for kind, wanted, found in (
            ("order", expected.orders, got.orders),
            ("customer", expected.customers, got.customers),
            ("day", expected.days, got.days),
            ("refused", expected.refused, got.refused),
        )
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]
