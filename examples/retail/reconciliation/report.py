"""The reconciliation as a table, and each difference as a line."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from examples.retail.loading.outcome import Outcome
from examples.retail.reconciliation.figures import STATUSES, Difference, Figures, Sales

DIFFERENCES_SHOWN = 50
REFUSED_SHOWN = 60


def reconciliation_table(expected: Figures, got: Figures) -> Table:
    """A row for each figure; the rows that differ are red."""
    table = Table(title="Reconciliation: the input file against the query API", title_justify="left")
    table.add_column("figure")
    table.add_column("expected", justify="right")
    table.add_column("got", justify="right")
    table.add_column("")
    for name, wanted, found in _rows(expected, got):
        same = wanted == found
        table.add_row(name, wanted, found, "ok" if same else "DIFFERS", style=None if same else "bold red")
    return table


def print_refused(console: Console, outcome: Outcome, got: Figures) -> None:
    """How many commands were refused and why, then the orders with the lines that were named."""
    for reason, times in outcome.reasons().most_common():
        console.print(f"{times} refused: {reason}", markup=False, soft_wrap=True)
    named = [f"{order_id} {_line_numbers(pointers)}" for order_id, pointers in sorted(got.refused.items())]
    more = f", and {len(named) - REFUSED_SHOWN} more" if len(named) > REFUSED_SHOWN else ""
    if named:
        console.print(f"with the lines (from 0): {', '.join(named[:REFUSED_SHOWN])}{more}", style="dim", markup=False)


def print_differences(console: Console, differences: Sequence[Difference]) -> None:
    """The first differences, a line each."""
    for difference in differences[:DIFFERENCES_SHOWN]:
        line = f"{difference.kind} {difference.key}: expected {difference.expected}, got {difference.got}"
        console.print(line, style="red", markup=False, soft_wrap=True)


def _rows(expected: Figures, got: Figures) -> Iterator[tuple[str, str, str]]:
    yield "orders placed", _count(len(expected.orders)), _count(len(got.orders))
    expected_counts, got_counts = expected.by_status(), got.by_status()
    for status in STATUSES:
        yield f"  {status}", _count(expected_counts[status]), _count(got_counts[status])
    yield "orders refused, lines named", *_agreeing(expected.refused, got.refused)
    yield "orders right to the cent", *_agreeing(expected.orders, got.orders)
    yield "customers right to the cent", *_agreeing(expected.customers, got.customers)
    yield "spend of all customers", _total(expected.customers), _total(got.customers)
    for day in sorted(expected.days.keys() | got.days.keys()):
        for name, field in (("orders", "orders"), ("cancelled", "cancelled"), ("revenue", "amount")):
            yield f"{day} {name}", _of_day(expected, day, field), _of_day(got, day, field)


def _line_numbers(pointers: Iterable[str]) -> str:
    """ "(5 9)" for /lines/5/quantity and /lines/9/quantity; "(?)" when no line is named."""
    numbers = sorted({int(number) for pointer in pointers for number in re.findall(r"^/lines/(\d+)", pointer)})
    return f"({' '.join(map(str, numbers)) or '?'})"


def _agreeing(expected: Mapping[str, object], got: Mapping[str, object]) -> tuple[str, str]:
    """How many are expected, and how many of those got are right, less the ones that were not expected at all."""
    right = sum(got.get(key) == value for key, value in expected.items())
    return _count(len(expected)), _count(right - len(got.keys() - expected.keys()))


def _of_day(figures: Figures, day: str, field: str) -> str:
    sales = figures.days.get(day, Sales())
    return dollars(sales.amount) if field == "amount" else _count(getattr(sales, field))


def _total(sales: Mapping[str, Sales]) -> str:
    return dollars(sum(one.amount for one in sales.values()))


def dollars(cents: int) -> str:
    """For people."""
    sign, cents = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{cents // 100:,}.{cents % 100:02d} USD"


def _count(number: int) -> str:
    return f"{number:,}"
