"""What the views must say, worked out from the input file alone: no domain code, no service, no float."""

import gzip
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.retail.loading.order_lifecycles import lifecycle_of
from examples.retail.reconciliation.figures import Figures, OrderFigures, Sales


def figures_of_file(path: Path) -> Figures:
    """Expected figures of a file of baskets (gzipped JSON lines)."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return expected_figures(json.loads(line, parse_float=Decimal) for line in lines)


def expected_figures(baskets: Iterable[dict[str, Any]]) -> Figures:
    """Expected figures of baskets as the file has them, amounts as Decimal dollars."""
    figures = Figures()
    for basket in baskets:
        order_id = f"basket-{basket['basket_id']}"
        faults = _lines_without_quantity(basket)
        if faults:
            figures.refused[order_id] = faults
        else:
            _add_order(figures, order_id, basket)
    return figures


def _lines_without_quantity(basket: dict[str, Any]) -> frozenset[str]:
    """Which parts of the order have to be named when it is refused."""
    quantities = (quantity for _, quantity, _ in basket["items"])
    return frozenset(f"/lines/{index}/quantity" for index, quantity in enumerate(quantities) if quantity == 0)


def _add_order(figures: Figures, order_id: str, basket: dict[str, Any]) -> None:
    customer_id, day = f"household-{basket['household_id']}", basket["at"][:10]
    dollars = sum((Decimal(value) for _, _, value in basket["items"]), Decimal(0))
    total = int(dollars * 100)
    lifecycle = lifecycle_of(basket["basket_id"])
    cancelled = lifecycle.status == "cancelled"
    figures.orders[order_id] = OrderFigures(customer_id, lifecycle.status, total, len(lifecycle.steps))
    figures.customers[customer_id] = figures.customers.get(customer_id, Sales()).plus(total, cancelled)
    figures.days[day] = figures.days.get(day, Sales()).plus(total, cancelled)
