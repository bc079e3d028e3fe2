"""What verifying prints: how far it is, then that all is equal, or each difference."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ops.output import percent
from ops.views.verification.verifier import Report, Verified

DIFFERENCES_SHOWN = 20
LINE_EVERY = 1.0
_MAX_CHARACTERS = 300


@contextlib.contextmanager
def progress(console: Console, view: str, now: Callable[[], float] = time.monotonic) -> Iterator[Report]:
    """A bar on a terminal, at most one line a second elsewhere; yields the function to report progress to."""
    if not console.is_terminal:
        yield _lines(console, view, now)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(view, total=1.0, what="")
        yield lambda fraction, what: bar.update(task, completed=fraction, what=what)


def _lines(console: Console, view: str, now: Callable[[], float]) -> Report:
    printed_at = now()

    def report(fraction: float, what: str) -> None:
        nonlocal printed_at
        if now() - printed_at >= LINE_EVERY:
            printed_at = now()
            console.print(f"{view}: {percent(fraction)}, {what}", markup=False, soft_wrap=True)

    return report


def print_verified(console: Console, verified: Verified) -> None:
    """One line when all is equal, else each difference with what should be there and what is."""
    documents = f"{verified.equal:,} documents equal"
    console.print(f"{verified.view} ({verified.collection}): {documents}", markup=False, soft_wrap=True)
    if not verified.differences:
        return
    several = len({one.key for one in verified.differences})
    console.print("1 differs:" if several == 1 else f"{several:,} differ:", style="red")
    for one in verified.differences[:DIFFERENCES_SHOWN]:
        console.print(f"  {one.key} {one.field}", markup=False, soft_wrap=True)
        console.print(f"    expected {_value(one.expected)}", markup=False, soft_wrap=True)
        console.print(f"    found    {_value(one.found)}", markup=False, soft_wrap=True)
    more = len(verified.differences) - DIFFERENCES_SHOWN
    if more > 0:
        console.print(f"  and {more:,} more; --json shows all", soft_wrap=True)
    console.print(f"To make it right: eventfold views rebuild {verified.view}", markup=False, soft_wrap=True)


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = (
        value if isinstance(value, str) and value.startswith("a dead letter") else msgspec.json.encode(value).decode()
    )
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}... ({len(text):,} characters)"
