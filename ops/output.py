"""What commands print with: consoles, tables, a progress bar, and values as text."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

UNKNOWN = "-"

_WIDE = 400


def output() -> Console:
    """Standard output. What is no terminal has no width, so nothing is cut there to fit one."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def keep_logs_apart() -> None:
    """What the adapters log while a command uses them itself goes to standard error, from warnings on: standard output
    is for what the command prints, which programs may read. No secret is in it. Standard error is looked up for every
    line, because a caller in the same process may have closed the one of now."""
    import structlog

    from infrastructure.telemetry.redaction import Redactor

    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redactor().line,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def errors() -> Console:
    """Standard error, for what must not get into an output that programs read."""
    return Console(stderr=True, highlight=False)


def plain_table(*headings: str) -> Table:
    """A table without lines; on a narrow terminal its cells are folded, not cut."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


@contextlib.contextmanager
def progress_bar(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere; yields the function that advances it by one."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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


def print_error(console: Console, text: str) -> None:
    """A line in red; nothing in it is taken for markup."""
    console.print(text, style="red", markup=False, soft_wrap=True)


def without_password(uri: str) -> str:
    """A connection string for people: its password is nobody's business."""
    scheme, separator, rest = uri.partition("://")
    user, at, where = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}:***@{where}" if at and ":" in user else uri


def text_of(value: object) -> str:
    """The value as it is; a dash where it is not known."""
    return UNKNOWN if value is None else str(value)


def number(value: float | None) -> str:
    """With thousands separators; a dash where it is not known."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(fraction: float | None) -> str:
    """A fraction of 1 as a percentage, never 100 before it is done."""
    return UNKNOWN if fraction is None else f"{int(fraction * 1000) / 10:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds in the two largest units."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def moment(milliseconds: int | None) -> str:
    """Epoch milliseconds as UTC to the second."""
    if milliseconds is None:
        return UNKNOWN
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
