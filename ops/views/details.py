"""One view in full."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from ops.consoles import plain_table
from ops.views.answers import View
from ops.views.tables import parked, print_troubles
from ops.views.wording import KINDS, lag, pace
from ops.words import UNKNOWN, moment


def print_view(console: Console, view: View) -> None:
    """All that is known of it, then each partition, then what stands in its way."""
    table = plain_table("", "")
    table.show_header = False
    for name, value in _facts(view):
        table.add_row(name, value)
    console.print(table)
    if view.partitions:
        console.print()
        partitions = plain_table("partition", "owner", "epoch", "position")
        for one in view.partitions:
            cells = (one.partition, one.owner or "nobody", one.epoch, one.position)
            partitions.add_row(*(_text(cell) for cell in cells))
        console.print(partitions)
    print_troubles(console, [view])


def _facts(view: View) -> Iterator[tuple[str, str]]:
    yield "view", escape(view.name)
    yield "version", _text(view.version)
    yield "collection", _text(view.collection)
    yield "state", escape(view.state)
    yield "position", _text(view.position)
    yield "lag", escape(lag(view))
    yield "parked", parked(view)
    if view.rebuild is not None:
        rebuild = view.rebuild
        yield "under way", f"{KINDS.get(rebuild.kind, escape(rebuild.kind))}, {escape(rebuild.state)}"
        yield "  into", f"{escape(rebuild.collection)} (version {_text(rebuild.version)})"
        yield "  since", moment(rebuild.started_at)
        yield "  so far", escape(pace(rebuild))
    if view.previous is not None:
        previous = view.previous
        yield "previous", f"{escape(previous.collection)} (version {_text(previous.version)})"
        yield "  position", _text(previous.position)
        yield "  kept until", moment(previous.removed_at)


def _text(value: object) -> str:
    return UNKNOWN if value is None else escape(str(value))
