"""What the demo prints at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from examples.retail.loading.outcome import Outcome
from examples.retail.reconciliation.figures import Difference, Figures, differences
from examples.retail.reconciliation.report import print_differences, print_refused, reconciliation_table
from ops.demo.crashes import Crash
from ops.demo.lag import LagSample, percentile


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the demo found out. `problems` says in sentences what went wrong apart from the figures."""

    expected: Figures
    got: Figures
    outcome: Outcome
    crashes: Sequence[Crash]
    lag: Sequence[LagSample]
    problems: Sequence[str]

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
    console.print(reconciliation_table(report.expected, report.got))
    print_refused(console, report.outcome, report.got)
    console.print()
    _print_speed(console, report)
    print_differences(console, report.differences)
    for problem in report.problems:
        console.print(problem, style="red", markup=False, soft_wrap=True)
    console.print()
    if report.exact:
        console.print("Exact: every order, customer and day is as the file says, to the cent.", style="green")
    else:
        found = len(report.differences) + len(report.problems)
        console.print(f"NOT exact: {found} differences or problems, listed above.", style="bold red")


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
    undisturbed = [s.seconds for s in report.lag if not any(crash.disturbs(s) for crash in report.crashes)]
    _print_lag(console, "every service up", undisturbed)
    if report.crashes:
        _print_lag(console, "crashes included", [sample.seconds for sample in report.lag])


def _print_lag(console: Console, when: str, seconds: Sequence[float]) -> None:
    if seconds:
        p50, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 99))
        console.print(f"  {when}: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms ({len(seconds)} commands)")
