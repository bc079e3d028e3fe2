"""How events written by earlier releases are turned into the newest schema version."""

from typing import Any


def order_created_1_to_2(event: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had no discounts, called the unit price `price`, and took the time of receipt as the business time."""
    lines = [
        {
            "sku": line["sku"],
            "quantity": line["quantity"],
            "unit_price": line["price"],
            "discount": 0,
            "total": line["quantity"] * line["price"],
        }
        for line in event["lines"]
    ]
    return {
        **event,
        "lines": lines,
        "item_count": sum(line["quantity"] for line in lines),
        "total": sum(line["total"] for line in lines),
        "ordered_at": event["created_at"],
    }
