"""Which commands follow after an order is placed: a fixed rule, by the last digit of the basket's id.

| last digit | lifecycle |
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
class Lifecycle:
    """The names of the commands, in order, and the order's status after the last one."""

    steps: tuple[str, ...]
    status: str


PENDING = Lifecycle((), "pending")
CANCELLED_WHILE_PENDING = Lifecycle(("cancel",), "cancelled")
CONFIRMED = Lifecycle(("confirm",), "confirmed")
CANCELLED_AFTER_CONFIRMING = Lifecycle(("confirm", "cancel"), "cancelled")
SHIPPED = Lifecycle(("confirm", "ship"), "shipped")
DELIVERED = Lifecycle(("confirm", "ship", "deliver"), "delivered")

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


def lifecycle_of(basket_id: int) -> Lifecycle:
    """The lifecycle of the basket's order."""
    return BY_LAST_DIGIT[basket_id % 10]


def steps_of(basket_id: int) -> list[Step]:
    """The commands that move the basket's order on, in order."""
    return [Step(name, _body(name, basket_id)) for name in lifecycle_of(basket_id).steps]


def _body(name: str, basket_id: int) -> dict[str, Any]:
    match name:
        case "ship":
            return {"carrier": CARRIERS[basket_id % len(CARRIERS)], "tracking_number": f"EF{basket_id}"}
        case "cancel":
            return {"reason": "the customer changed their mind"}
        case _:
            return {}
