"""What becomes of an order after it is placed: a fixed rule, by the last digit of the basket's id.

| last digit | fate |
|---|---|
| 0 | stays pending |
| 1 | cancelled while pending |
| 2 | confirmed |
| 3 | confirmed, then cancelled |
| 4, 5 | confirmed and shipped |
| 6 to 9 | confirmed, shipped and delivered |
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One command after the placing: POST /orders/{order_id}/`name` with this body."""

    name: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fate:
    """The commands in order, and the status that the order has after the last one."""

    steps: tuple[str, ...]
    status: str


PENDING = Fate((), "pending")
CANCELLED_WHILE_PENDING = Fate(("cancel",), "cancelled")
CONFIRMED = Fate(("confirm",), "confirmed")
CANCELLED_AFTER_CONFIRMING = Fate(("confirm", "cancel"), "cancelled")
SHIPPED = Fate(("confirm", "ship"), "shipped")
DELIVERED = Fate(("confirm", "ship", "deliver"), "delivered")

BY_LAST_DIGIT = (
    PENDING,
    CANCELLED_WHILE_PENDING,
    CONFIRMED,
    CANCELLED_AFTER_CONFIRMING,
    SHIPPED,
    SHIPPED,
    DELIVERED,
    DELIVERED,
    DELIVERED,
    DELIVERED,
)
CARRIERS = ("DHL", "FedEx", "UPS")


def fate_of(basket_id: int) -> Fate:
    """What becomes of the basket's order."""
    return BY_LAST_DIGIT[basket_id % 10]


def steps_of(basket_id: int) -> list[Step]:
    """The commands that move the basket's order on, in order."""
    return [Step(name, _body(name, basket_id)) for name in fate_of(basket_id).steps]


def _body(name: str, basket_id: int) -> dict[str, Any]:
    match name:
        case "ship":
            return {"carrier": CARRIERS[basket_id % len(CARRIERS)], "tracking_number": f"EF{basket_id}"}
        case "cancel":
            return {"reason": "the customer changed their mind"}
        case _:
            return {}
