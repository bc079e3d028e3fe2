"""The figures that are compared: the same shape for what the input file says and what the query API says."""

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
        """With one more order."""
        return Sales(self.orders + 1, self.cancelled + cancelled, self.amount + (0 if cancelled else amount))


@dataclass(slots=True)
class Figures:
    """Orders, customers' and days' sales by id, and the faults' pointers of the orders that were refused."""

    orders: dict[str, OrderFigures] = field(default_factory=dict)
    customers: dict[str, Sales] = field(default_factory=dict)
    days: dict[str, Sales] = field(default_factory=dict)
    refused: dict[str, frozenset[str]] = field(default_factory=dict)

    def by_status(self) -> Counter[str]:
        """How many orders have each status."""
        return Counter(order.status for order in self.orders.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two sets of figures disagree; None stands for "not there"."""

    kind: str
    key: str
    expected: object
    got: object


def differences(expected: Figures, got: Figures) -> list[Difference]:
    """Every row that is not the same in both."""
    return [
        Difference(kind, key, theirs.get(key), ours.get(key))
        for kind, theirs, ours in (
            ("order", expected.orders, got.orders),
            ("customer", expected.customers, got.customers),
            ("day", expected.days, got.days),
            ("refused", expected.refused, got.refused),
        )
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key) != ours.get(key)
    ]
