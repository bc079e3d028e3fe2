"""Views as tables and text: all of them, one of them in full, and how far a build is."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.output import UNKNOWN, duration, moment, number, percent, plain_table, print_error, text_of
from ops.views.responses import Consumer, Instance, Partition, Rebuild, View

KINDS = {"rebuild": "rebuild", "new_version": "new version", "switch_back": "switch-back"}
_STATE_STYLES = {"live": "green", "stopped": "red", "other_log": "red", "unowned": "red"}
_NOBODY = "nobody"


def view_table(views: Sequence[View], *, short: bool = False) -> Table:
    """A line for each view; in short without its collection and its partitions' numbers."""
    columns: dict[str, Callable[[View], str]] = {
        "view": lambda view: escape(view.name),
        "version": lambda view: text_of(view.version),
        "collection": lambda view: escape(view.collection or UNKNOWN),
        "state": lambda view: state(view.state),
        "position": lambda view: text_of(view.position),
        "lag": lambda view: escape(lag(view)),
        "events/s": lambda view: number(view.events_per_second),
        "partitions": lambda view: escape(owners(view.partitions, short=short)),
        "parked": parked,
        "under way": lambda view: escape(under_way(view.rebuild)),
    }
    if short:
        del columns["collection"]
    else:
        del columns["events/s"]
    table = plain_table(*columns)
    for view in views:
        table.add_row(*(cell(view) for cell in columns.values()))
    return table


def instance_table(instances: Sequence[Instance]) -> Table:
    """A line for each process that follows the log, with its service where any of them tells it."""
    states = {True: "[green]alive[/]", False: "[red]gone[/]", None: UNKNOWN}
    columns: dict[str, Callable[[Instance], str]] = {
        "projector instance": lambda one: escape(one.instance),
        "state": lambda one: states[one.alive],
        "partitions": lambda one: number(one.partitions),
        "started": lambda one: moment(one.started_at),
    }
    if any(one.service for one in instances):
        del columns["projector instance"]
        columns = {
            "service": lambda one: escape(one.service or UNKNOWN),
            "instance": lambda one: escape(one.instance),
            **columns,
        }
    table = plain_table(*columns)
    for one in instances:
        table.add_row(*(cell(one) for cell in columns.values()))
    return table


def print_view(console: Console, view: View) -> None:
    """All that is known of one view, then each of its partitions, then what prevents it from going on."""
    table = plain_table("", "")
    table.show_header = False
    for name, value in _facts(view):
        table.add_row(name, value)
    console.print(table)
    if view.partitions:
        console.print()
        partitions = plain_table("partition", "owner", "epoch", "position")
        for one in view.partitions:
            cells = (one.partition, one.owner or _NOBODY, one.epoch, one.position)
            partitions.add_row(*(escape(text_of(cell)) for cell in cells))
        console.print(partitions)
    print_troubles(console, [view])


def _facts(view: View) -> Iterator[tuple[str, str]]:
    yield "view", escape(view.name)
    yield "version", text_of(view.version)
    yield "collection", escape(text_of(view.collection))
    yield "state", escape(view.state)
    yield "position", text_of(view.position)
    yield "lag", escape(lag(view))
    yield "parked", parked(view)
    if view.rebuild is not None:
        rebuild = view.rebuild
        yield "under way", f"{KINDS.get(rebuild.kind, escape(rebuild.kind))}, {escape(rebuild.state)}"
        yield "  into", f"{escape(rebuild.collection)} (version {text_of(rebuild.version)})"
        yield "  since", moment(rebuild.started_at)
        yield "  so far", escape(pace(rebuild))
    if view.previous is not None:
        previous = view.previous
        yield "previous", f"{escape(previous.collection)} (version {text_of(previous.version)})"
        yield "  position", text_of(previous.position)
        yield "  kept until", moment(previous.removed_at)


def troubles(consumers: Sequence[Consumer]) -> Iterator[str]:
    """What prevents a consumer, or a view's build, from going on, a line each."""
    for one in consumers:
        if one.trouble:
            yield f"{one.name}: {one.trouble}"
        if isinstance(one, View) and one.rebuild is not None and one.rebuild.trouble:
            yield f"{one.name}, build {one.rebuild.collection}: {one.rebuild.trouble}"


def print_troubles(console: Console, consumers: Sequence[Consumer]) -> None:
    """Those lines, in red."""
    for line in troubles(consumers):
        print_error(console, line)


def state(name: str) -> str:
    """A state, coloured by whether it is a good one."""
    return f"[{_STATE_STYLES.get(name, 'yellow')}]{escape(name)}[/]"


def parked(consumer: Consumer) -> str:
    """The number of dead letters, in red when there are some."""
    return f"[red]{consumer.parked:,}[/]" if consumer.parked else number(consumer.parked)


def lag(consumer: Consumer) -> str:
    """How far it is behind in events (~ when estimated) and seconds, whichever is known; the distance of positions is
    left out, because it says little to people."""
    about = "~" if consumer.lag_exact is False else ""
    parts = [] if consumer.lag_events is None else [f"{about}{consumer.lag_events:,} events"]
    parts += [] if consumer.lag_seconds is None else [f"{consumer.lag_seconds:.1f} s"]
    return ", ".join(parts) or UNKNOWN


def owners(partitions: Sequence[Partition] | None, *, short: bool = False) -> str:
    """How many partitions there are, and who owns which; in short, how many nobody owns."""
    if not partitions:
        return UNKNOWN
    if short:
        unowned = sum(one.owner is None for one in partitions)
        return str(len(partitions)) + (f", {unowned} unowned" if unowned else "")
    owned: dict[str, list[str]] = {}
    for one in partitions:
        owned.setdefault(one.owner or _NOBODY, []).append(text_of(one.partition))
    if len(owned) == 1:
        return f"{len(partitions)}: {next(iter(owned))}"
    return f"{len(partitions)}: " + "; ".join(f"{owner} {', '.join(numbers)}" for owner, numbers in owned.items())


def under_way(rebuild: Rebuild | None) -> str:
    """What is being built, in short; empty when nothing is."""
    if rebuild is None:
        return ""
    what = KINDS.get(rebuild.kind, rebuild.kind)
    if rebuild.state in ("stopped", "other_log"):
        return f"{what} stopped"
    if rebuild.state == "switching":
        return f"{what} switching"
    left = "" if rebuild.seconds_left is None else f", {duration(rebuild.seconds_left)} left"
    return f"{what} {percent(rebuild.fraction)}{left}"


def pace(rebuild: Rebuild) -> str:
    """Where a build is: share of the log, events, events a second, time left."""
    parts = [f"{percent(rebuild.fraction)} of the log", f"{number(rebuild.events)} events"]
    if rebuild.events_per_second is not None:
        parts.append(f"{number(rebuild.events_per_second)} events/s")
    if rebuild.seconds_left is not None:
        parts.append(f"{duration(rebuild.seconds_left)} left")
    if rebuild.state == "switching":
        parts.append("switching")
    return ", ".join(parts)
