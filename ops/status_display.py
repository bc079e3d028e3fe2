"""`eventfold status` as tables."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ops.consoles import plain_table
from ops.stack import short_url
from ops.status import ServiceStatus, StackStatus
from ops.views.answers import Status
from ops.views.tables import instance_table, print_troubles, view_table
from ops.words import UNKNOWN


def print_status(console: Console, status: StackStatus) -> None:
    """The services, then the projector's instances and the views."""
    console.print(_services(status.services))
    for service in status.services:
        if not service.ready:
            console.print(f"{service.name}: {service.problem}", style="red", markup=False, soft_wrap=True)
    told = _read(status.projector)
    if told is None:
        console.print("The projector does not tell how far the views are.", style="red")
        return
    console.print()
    position = told.event_store.position
    console.print(f"The event store's last position is {UNKNOWN if position is None else position}.")
    if told.instances:
        console.print(instance_table(told.instances))
        console.print()
    console.print(view_table(told.views, short=True))
    print_troubles(console, told.views)


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
