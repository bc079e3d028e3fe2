"""`eventfold status` as tables."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ops.locations import short_url
from ops.output import UNKNOWN, plain_table, print_error
from ops.status.inspection import ServiceStatus, StackStatus
from ops.views.display import instance_table, print_troubles, view_table
from ops.views.responses import Status


def print_status(console: Console, status: StackStatus) -> None:
    """The services, then the projector's instances and the views."""
    console.print(_services(status.services))
    for service in status.services:
        if not service.ready:
            print_error(console, f"{service.name}: {service.problem}")
    projector = _read(status.projector)
    if projector is None:
        console.print("The projector does not tell how far the views are.", style="red")
        return
    console.print()
    position = projector.event_store.position
    console.print(f"The event store's last position is {UNKNOWN if position is None else position}.")
    if projector.instances:
        console.print(instance_table(projector.instances))
        console.print()
    console.print(view_table(projector.views, short=True))
    print_troubles(console, projector.views)


def _read(answer: dict[str, Any] | None) -> Status | None:
    if answer is None:
        return None
    try:
        return msgspec.convert(answer, Status)
    except msgspec.ValidationError:
        return None


def _services(services: list[ServiceStatus]) -> Table:
    table = plain_table("service", "URL", "pid", "state", "restarts")
    for service in services:
        state = "[green]ready[/]" if service.ready else "[red]not ready[/]"
        pid, restarts = str(service.pid or UNKNOWN), str(service.restarts or "")
        table.add_row(service.name, short_url(service.url), pid, state, restarts)
    return table
