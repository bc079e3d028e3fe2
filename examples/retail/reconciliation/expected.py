"""What the views must say, worked out from the input file alone: no domain code, no service, no float."""

import gzip
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from examples.retail.loading.order_lifecycles import lifecycle_of
from examples.retail.reconciliation.figures import Figures, OrderFigures, Sales


def figures_of_file(path: Path, baskets: int | None = None, endings: Mapping[str, str] | None = None) -> Figures:
    """Expected figures of the first baskets of a file (gzipped JSON lines), or of all."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return expected_figures((json.loads(line, parse_float=Decimal) for line in islice(lines, baskets)), endings)


def expected_figures(baskets: Iterable[dict[str, Any]], endings: Mapping[str, str] | None = None) -> Figures:
    """Expected figures of baskets as the file has them, amounts as Decimal dollars.

    Each order has moved on by the loader's rule; or, where `endings` are given, by one step to the status that they
    have for it: they come from the views, because nobody can say beforehand who gets what is scarce.
    """
    figures = Figures()
    for basket in baskets:
        order_id = f"basket-{basket['basket_id']}"
        faults = _lines_without_quantity(basket)
        if faults:
            figures.refused[order_id] = faults
        else:
            _add_order(figures, order_id, basket, endings)
    return figures


def _lines_without_quantity(basket: dict[str, Any]) -> frozenset[str]:
    """Which parts of the order have to be named when it is refused."""
    quantities = (quantity for _, quantity, _ in basket["items"])
    return frozenset(f"/lines/{index}/quantity" for index, quantity in enumerate(quantities) if quantity == 0)


def _add_order(figures: Figures, order_id: str, basket: dict[str, Any], endings: Mapping[str, str] | None) -> None:
    customer_id, day = f"household-{basket['household_id']}", basket["at"][:10]
    dollars = sum((Decimal(value) for _, _, value in basket["items"]), Decimal(0))
    total = int(dollars * 100)
    lifecycle = lifecycle_of(basket["basket_id"])
    status, steps = lifecycle.status, len(lifecycle.steps)
    if endings is not None:
        status, steps = endings.get(order_id, "not placed"), 1
    cancelled = status == "cancelled"
    figures.orders[order_id] = OrderFigures(customer_id, status, total, steps)
    figures.customers[customer_id] = figures.customers.get(customer_id, Sales()).plus(total, cancelled)
    figures.days[day] = figures.days.get(day, Sales()).plus(total, cancelled)
