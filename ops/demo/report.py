"""What the demo prints at its end."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ops.demo.crashes import Crash
from ops.demo.figures import STATUSES, Difference, Figures, Sales, differences
from ops.demo.lag import LagSample, percentile
from ops.loading.outcome import Outcome

DIFFERENCES_SHOWN = 50
REFUSED_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the demo found out."""

    expected: Figures
    got: Figures
    outcome: Outcome
    crashes: Sequence[Crash]
    lag: Sequence[LagSample]
    problems: Sequence[str]
    """whatever else went wrong, in words"""

    @property
    def differences(self) -> list[Difference]:
        """Rows where the views and the file disagree."""
        return differences(self.expected, self.got)

    @property
    def exact(self) -> bool:
        """Whether everything is as the file says."""
        return not self.differences and not self.problems


def print_report(console: Console, report: Report) -> None:
    """The reconciliation and the figures; every difference when there are any."""
    console.print(_reconciliation(report))
    _print_refused(console, report.outcome, report.got)
    console.print()
    _print_speed(console, report)
    for difference in report.differences[:DIFFERENCES_SHOWN]:
        line = f"{difference.kind} {difference.key}: expected {difference.expected}, got {difference.got}"
        console.print(line, style="red", markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(problem, style="red", markup=False, soft_wrap=True)
    console.print()
    if report.exact:
        console.print("Exact: every order, customer and day is as the file says, to the cent.", style="green")
    else:
        found = len(report.differences) + len(report.problems)
        console.print(f"NOT exact: {found} differences or problems, listed above.", style="bold red")


def _reconciliation(report: Report) -> Table:
    table = Table(title="Reconciliation: the input file against the query API", title_justify="left")
    table.add_column("figure")
    table.add_column("expected", justify="right")
    table.add_column("got", justify="right")
    table.add_column("")
    for name, expected, got in _rows(report.expected, report.got):
        same = expected == got
        table.add_row(name, expected, got, "ok" if same else "DIFFERS", style=None if same else "bold red")
    return table


def _rows(expected: Figures, got: Figures) -> Iterator[tuple[str, str, str]]:
    yield "orders placed", _n(len(expected.orders)), _n(len(got.orders))
    theirs, ours = expected.by_status(), got.by_status()
    for status in STATUSES:
        yield f"  {status}", _n(theirs[status]), _n(ours[status])
    yield "orders refused, lines named", *_agreeing(expected.refused, got.refused)
    yield "orders right to the cent", *_agreeing(expected.orders, got.orders)
    yield "customers right to the cent", *_agreeing(expected.customers, got.customers)
    yield "spend of all customers", _usd(expected.customers), _usd(got.customers)
    for day in sorted(expected.days.keys() | got.days.keys()):
        for name, value in (("orders", "orders"), ("cancelled", "cancelled"), ("revenue", "amount")):
            yield f"{day} {name}", _of_day(expected, day, value), _of_day(got, day, value)


def _print_refused(console: Console, outcome: Outcome, got: Figures) -> None:
    for reason, times in outcome.reasons().most_common():
        console.print(f"{times} refused: {reason}", markup=False, soft_wrap=True)
    named = [f"{order_id} {_line_numbers(pointers)}" for order_id, pointers in sorted(got.refused.items())]
    more = f", and {len(named) - REFUSED_SHOWN} more" if len(named) > REFUSED_SHOWN else ""
    if named:
        console.print(f"with the lines (from 0): {', '.join(named[:REFUSED_SHOWN])}{more}", style="dim", markup=False)


def _line_numbers(pointers: Iterable[str]) -> str:
    """ "(5 9)" for /lines/5/quantity and /lines/9/quantity; "(?)" when no line is named."""
    numbers = sorted({int(number) for pointer in pointers for number in re.findall(r"^/lines/(\d+)", pointer)})
    return f"({' '.join(map(str, numbers)) or '?'})"


def _print_speed(console: Console, report: Report) -> None:
    outcome = report.outcome
    console.print(
        f"{outcome.commands:,} commands in {outcome.seconds:.1f} s{', crashes included' if report.crashes else ''}: "
        f"{outcome.commands_per_second:,.0f} a second, {outcome.retries:,} retries",
        soft_wrap=True,
    )
    for crash in report.crashes:
        back = "not back" if crash.outage is None else f"ready again after {crash.outage:.1f} s"
        console.print(f"kill -9 {crash.service} after {crash.after_baskets:,} baskets: {back}")
    console.print("Acknowledged to visible, while the load runs at full speed:")
    calm = [s.seconds for s in report.lag if not any(crash.disturbs(s) for crash in report.crashes)]
    _print_lag(console, "every service up", calm)
    if report.crashes:
        _print_lag(console, "crashes included", [sample.seconds for sample in report.lag])


def _print_lag(console: Console, when: str, seconds: Sequence[float]) -> None:
    if seconds:
        p50, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 99))
        console.print(f"  {when}: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms ({len(seconds)} commands)")


def _agreeing(expected: Mapping[str, object], got: Mapping[str, object]) -> tuple[str, str]:
    """How many there are, and how many of the ones got are as expected; one too many spoils the count."""
    right = sum(got.get(key) == value for key, value in expected.items())
    return _n(len(expected)), _n(right - len(got.keys() - expected.keys()))


def _of_day(figures: Figures, day: str, value: str) -> str:
    sales = figures.days.get(day, Sales())
    return _dollars(sales.amount) if value == "amount" else _n(getattr(sales, value))


def _usd(sales: dict[str, Sales]) -> str:
    return _dollars(sum(one.amount for one in sales.values()))


def _dollars(cents: int) -> str:
    sign, cents = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{cents // 100:,}.{cents % 100:02d} USD"


def _n(number: int) -> str:
    return f"{number:,}"
