"""Where output goes."""

from rich.console import Console
from rich.table import Table

_WIDE = 400


def output() -> Console:
    """Standard output. What is no terminal has no width, so nothing is cut there to fit one."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def errors() -> Console:
    """Standard error, for what must not get into an output that programs read."""
    return Console(stderr=True, highlight=False)


def plain_table(*headings: str) -> Table:
    """A table without lines; on a narrow terminal its cells are folded, not cut."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
