"""`eventfold status` as tables."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.stack import short_url
from ops.status import ServiceStatus, StackStatus

UNKNOWN = "-"


def print_status(console: Console, status: StackStatus) -> None:
    """The services, then the views."""
    console.print(_services(status.services))
    for service in status.services:
        if not service.ready:
            console.print(f"{service.name}: {service.problem}", style="red", markup=False, soft_wrap=True)
    if status.projector is None:
        console.print("The projector does not tell how far the views are.", style="red")
        return
    console.print()
    position = _dig(status.projector, "event_store", "position")
    console.print(f"The event store's last position is {UNKNOWN if position is None else position}.")
    views = status.projector.get("views") or []
    console.print(_views(views))
    for view in views:
        if trouble := view.get("trouble"):
            console.print(f"{view.get('name', UNKNOWN)}: {trouble}", style="red", markup=False, soft_wrap=True)


def _services(services: list[ServiceStatus]) -> Table:
    table = _table("service", "URL", "pid", "state", "restarts")
    for service in services:
        state = "[green]ready[/]" if service.ready else "[red]not ready[/]"
        pid, restarts = str(service.pid or UNKNOWN), str(service.restarts or "")
        table.add_row(service.name, short_url(service.url), pid, state, restarts)
    return table


def _views(views: list[dict[str, Any]]) -> Table:
    table = _table("view", "version", "state", "position", "lag", "parked")
    for view in views:
        parked = view.get("parked") or 0
        table.add_row(
            *(escape(str(view.get(name, UNKNOWN))) for name in ("name", "version", "state", "position")),
            escape(_lag(view)),
            f"[red]{parked}[/]" if parked else "0",
        )
    return table


def _lag(view: dict[str, Any]) -> str:
    """Events and seconds behind, whichever of them the projector knows; a distance of positions tells nobody much."""
    events, seconds = view.get("lag_events"), view.get("lag_seconds")
    parts = [f"{events:,} events"] if isinstance(events, int) else []
    parts += [f"{seconds:.1f} s"] if isinstance(seconds, int | float) else []
    return ", ".join(parts) or UNKNOWN


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _dig(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
