"""The views, and who projects them, as tables."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.consoles import plain_table
from ops.views.answers import Instance, View
from ops.views.wording import lag, owners, under_way
from ops.words import UNKNOWN, moment, number


def view_table(views: Sequence[View], *, short: bool = False) -> Table:
    """A line for each view; in short without its collection and its partitions' numbers."""
    columns: dict[str, Callable[[View], str]] = {
        "view": lambda view: escape(view.name),
        "version": lambda view: _text(view.version),
        "collection": lambda view: escape(view.collection or UNKNOWN),
        "state": lambda view: _state(view.state),
        "position": lambda view: _text(view.position),
        "lag": lambda view: escape(lag(view)),
        "partitions": lambda view: escape(owners(view.partitions, short=short)),
        "parked": parked,
        "under way": lambda view: escape(under_way(view.rebuild)),
    }
    if short:
        del columns["collection"]
    table = plain_table(*columns)
    for view in views:
        table.add_row(*(cell(view) for cell in columns.values()))
    return table


def instance_table(instances: Sequence[Instance]) -> Table:
    """A line for each projector process."""
    table = plain_table("projector instance", "state", "partitions", "started")
    states = {True: "[green]alive[/]", False: "[red]gone[/]", None: UNKNOWN}
    for one in instances:
        table.add_row(escape(one.instance), states[one.alive], number(one.partitions), moment(one.started_at))
    return table


def print_troubles(console: Console, views: Sequence[View]) -> None:
    """What stands in a view's or its build's way, a line each."""
    for view in views:
        if view.trouble:
            _complain(console, f"{view.name}: {view.trouble}")
        if view.rebuild is not None and view.rebuild.trouble:
            _complain(console, f"{view.name}, build {view.rebuild.collection}: {view.rebuild.trouble}")


def parked(view: View) -> str:
    """The number of dead letters, in red when there are some."""
    return f"[red]{view.parked:,}[/]" if view.parked else number(view.parked)


def _complain(console: Console, text: str) -> None:
    console.print(text, style="red", markup=False, soft_wrap=True)


def _state(state: str) -> str:
    style = {"live": "green", "stopped": "red", "unowned": "red"}.get(state, "yellow")
    return f"[{style}]{escape(state)}[/]"


def _text(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)
