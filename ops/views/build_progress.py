"""What is shown while builds are under way: a bar for each view on a terminal, one line for each change elsewhere."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from ops.output import UNKNOWN, duration, number
from ops.views.build_watch import Ending, ShowsBuilds
from ops.views.display import pace
from ops.views.responses import Rebuild

LINE_EVERY = 1.0
"""Seconds between two lines about one view."""


class BuildDisplay(ShowsBuilds, Protocol):
    """A context manager, because bars have to be closed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def build_display(console: Console, names: Sequence[str]) -> BuildDisplay:
    """The display that suits the console."""
    return Bars(console, names) if console.is_terminal else Lines(console)


class Bars:
    """A bar for each view: share of the log, events a second, time left."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]} events/s"),
            TextColumn("{task.fields[left]} left"),
            TextColumn("{task.fields[state]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=1.0, rate=UNKNOWN, left=UNKNOWN, state="") for name in names
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, name: str, rebuild: Rebuild) -> None:
        """Moves the bar."""
        self._progress.update(
            self._tasks[name],
            # The bar is full only once the build is served.
            completed=min(rebuild.fraction or 0.0, 0.999),
            rate=number(rebuild.events_per_second),
            left=duration(rebuild.seconds_left),
            state="switching" if rebuild.state == "switching" else "",
        )

    def end(self, name: str, ending: Ending) -> None:
        """Fills the bar if the build is served, and prints how it ended."""
        if ending.succeeded:
            self._progress.update(self._tasks[name], completed=1.0, left=duration(0), state="")
        _print_ending(self._progress.console, name, ending)


class Lines:
    """A line whenever something has changed, at most one a second for each view."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._printed: dict[str, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, name: str, rebuild: Rebuild) -> None:
        """Prints where the build is, unless that was printed less than LINE_EVERY ago or has not changed."""
        now, text = self._now(), pace(rebuild)
        at, before = self._printed.get(name, (now - LINE_EVERY, ""))
        if text != before and now - at >= LINE_EVERY:
            self._printed[name] = (now, text)
            self._console.print(f"{name}: {text}", markup=False, soft_wrap=True)

    def end(self, name: str, ending: Ending) -> None:
        """Prints how the build ended."""
        _print_ending(self._console, name, ending)


def _print_ending(console: Console, name: str, ending: Ending) -> None:
    style = None if ending.succeeded else "red"
    console.print(f"{name}: {ending.reason}", style=style, markup=False, soft_wrap=True)
