"""What a contract says: its template, and the values that it takes, from the event that requested it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from application.contracts.templates import load_template
from application.notifying.messages import amount
from domain.documents.events import ContractRequested

TEMPLATE = load_template("order-contract", 1)
"""The version that new contracts are made by."""

_MONTHS = "January February March April May June July August September October November December".split()


def values(event: ContractRequested) -> Mapping[str, Any]:
    """As the template takes them: texts, ready to be read."""

    def money(minor_units: int) -> str:
        return amount(minor_units, event.currency)

    return {
        "order_id": event.order_id,
        "customer_id": event.customer_id,
        "customer_name": event.customer_name,
        "ordered_at": _day(event.ordered_at),
        "confirmed_at": _day(event.confirmed_at),
        "total": money(event.total),
        "lines": [
            {
                "sku": line.sku,
                "quantity": str(line.quantity),
                "unit_price": money(line.unit_price),
                "discount": money(line.discount) if line.discount else "",
                "total": money(line.total),
            }
            for line in event.lines
        ],
    }


def _day(time: datetime) -> str:
    """By name, so that nobody takes the day for the month; of UTC, as everything here."""
    return f"{time.day} {_MONTHS[time.month - 1]} {time.year} (UTC)"
