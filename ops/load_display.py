"""What a load shows: a progress bar while it runs, a summary at its end."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from examples.retail.loading.outcome import Outcome

REASONS_SHOWN = 10


@contextlib.contextmanager
def progress_bar(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere; yields the function that advances it by one."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """The figures of a load, and the commonest reasons of refusals."""
    moved = ", ".join(f"{n:,} {name}" for name, n in sorted(outcome.accepted.items()) if name != "place")
    console.print(
        f"{outcome.baskets:,} baskets: {outcome.placed:,} placed, {len(outcome.refusals):,} refused"
        + (f"; then {moved}" if moved else ""),
        soft_wrap=True,
    )
    for reason, times in outcome.reasons().most_common(REASONS_SHOWN):
        console.print(f"  {times:,} refused: {reason}", markup=False, soft_wrap=True)
    console.print(
        f"{outcome.commands:,} commands in {outcome.seconds:.1f} s: {outcome.commands_per_second:,.0f} a second, "
        f"{outcome.retries:,} retries; position {outcome.position}",
        soft_wrap=True,
    )
