"""A basket as its source has it, and the order that it becomes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

CURRENCY = "USD"


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One product in a basket: `sales_value` is what was paid for the whole quantity, in dollars."""

    product_id: int
    quantity: int
    sales_value: float

    @property
    def cents(self) -> int:
        """What was paid, in cents; the source has whole cents, kept in a double."""
        return round(self.sales_value * 100)


class Basket(msgspec.Struct, frozen=True):
    """One visit of one household to one shop."""

    basket_id: int
    household_id: int
    at: datetime
    items: Sequence[Item]

    @property
    def order_id(self) -> str:
        """The order that this basket becomes."""
        return f"basket-{self.basket_id}"

    @property
    def customer_id(self) -> str:
        """The customer whose order it becomes."""
        return f"household-{self.household_id}"


def order_body(basket: Basket) -> dict[str, Any]:
    """The body of the command that places the basket as an order."""
    return {
        "customer_id": basket.customer_id,
        "currency": CURRENCY,
        "lines": [order_line(item) for item in basket.items],
        "ordered_at": basket.at.astimezone(UTC).isoformat(),
    }


def order_line(item: Item) -> dict[str, Any]:
    """An order line whose quantity x unit price - discount is exactly what was paid.

    The source knows the price of the whole line only: the unit price is rounded up to a cent, and the discount takes
    the difference away again. A quantity of 0 has no unit price; such a line goes out as it is, to be refused.
    """
    unit_price = -(-item.cents // item.quantity) if item.quantity else item.cents
    return {
        "sku": str(item.product_id),
        "quantity": item.quantity,
        "unit_price": unit_price,
        "discount": item.quantity * unit_price - item.cents if item.quantity else 0,
    }
