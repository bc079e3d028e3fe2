"""What the demo prints at its end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from examples.retail.loading.outcome import Outcome
from examples.retail.reconciliation.figures import Difference, Figures, differences
from examples.retail.reconciliation.fulfilment import FulfilmentFigures
from examples.retail.reconciliation.report import dollars, print_differences, print_refused, reconciliation_table
from ops.demo.crashes import Crash
from ops.demo.lag import LagSample, percentile
from ops.demo.settling import Settled


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the demo found out. `problems` says in sentences what went wrong apart from the figures."""

    expected: Figures
    got: Figures
    outcome: Outcome
    crashes: Sequence[Crash]
    lag: Sequence[LagSample]
    problems: Sequence[str]
    fulfilled: FulfilmentFigures
    fulfilment_differences: Sequence[Difference]
    settled: Settled

    @property
    def differences(self) -> list[Difference]:
        """Rows where the views and the file disagree."""
        return [*differences(self.expected, self.got), *self.fulfilment_differences]

    @property
    def exact(self) -> bool:
        """Whether everything is as the file says."""
        return not self.differences and not self.problems


def print_report(console: Console, report: Report) -> None:
    """The reconciliation and the figures; every difference when there are any."""
    console.print(reconciliation_table(report.expected, report.got))
    _print_fulfilment(console, report)
    print_refused(console, report.outcome, report.got)
    console.print()
    _print_speed(console, report)
    print_differences(console, report.differences)
    for problem in report.problems:
        console.print(problem, style="red", markup=False, soft_wrap=True)
    console.print()
    if report.exact:
        console.print(
            "Exact: every order, customer and day is as the file says, to the cent; so are stock, money and mails, and "
            "subscribers have what the log says.",
            style="green",
        )
    else:
        found = len(report.differences) + len(report.problems)
        console.print(f"NOT exact: {found} differences or problems, listed above.", style="bold red")


def _print_fulfilment(console: Console, report: Report) -> None:
    fulfilled, wrong = report.fulfilled, Counter(one.kind for one in report.fulfilment_differences)
    charges = Counter(charge.status for charge in fulfilled.charges.values())
    reserved, kinds = sum(one.reserved for one in fulfilled.stock.values()), Counter[str]()
    for mails in fulfilled.mails.values():
        kinds += mails
    table = Table(title="What stands behind the orders, beside their endings", title_justify="left")
    for column in ("figure", "found", ""):
        table.add_column(column, justify="right" if column == "found" else "left")
    rows = (
        ("stock: articles right to the unit", f"{len(fulfilled.stock) - wrong['stock']:,}", "stock"),
        ("stock: units promised to confirmed orders", f"{reserved:,}", "stock"),
        ("provider: charges that succeeded, declined", f"{charges['succeeded']:,}, {charges['declined']:,}", "charge"),
        ("provider: kept of all charges", dollars(fulfilled.kept), "charge"),
        ("provider: given back", dollars(fulfilled.refunded), "charge"),
        *((f"mails: {kind}", f"{number:,}", "mail") for kind, number in sorted(kinds.items())),
    )
    for name, found, kind in rows:
        table.add_row(name, found, "DIFFERS" if wrong[kind] else "ok", style="bold red" if wrong[kind] else None)
    console.print(table)


def _print_speed(console: Console, report: Report) -> None:
    outcome = report.outcome
    console.print(
        f"{outcome.commands:,} commands in {outcome.seconds:.1f} s{', crashes included' if report.crashes else ''}: "
        f"{outcome.commands_per_second:,.0f} a second, {outcome.retries:,} retries",
        soft_wrap=True,
    )
    console.print(f"Every order at its end {report.settled.seconds:.1f} s after the last was placed")
    for crash in report.crashes:
        back = "not back" if crash.outage is None else f"ready again after {crash.outage:.1f} s"
        console.print(f"kill -9 {crash.service} after {crash.after_baskets:,} baskets: {back}")
    console.print("Acknowledged to visible, while the load runs at full speed:")
    undisturbed = [s.seconds for s in report.lag if not any(crash.disturbs(s) for crash in report.crashes)]
    _print_lag(console, "every service up", undisturbed)
    if report.crashes:
        _print_lag(console, "crashes included", [sample.seconds for sample in report.lag])


def _print_lag(console: Console, when: str, seconds: Sequence[float]) -> None:
    if seconds:
        p50, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 99))
        console.print(f"  {when}: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms ({len(seconds)} commands)")
