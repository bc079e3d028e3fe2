"""`eventfold status` as tables."""

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.locations import short_url
from ops.output import UNKNOWN, plain_table, print_error, text_of
from ops.status.inspection import ServiceStatus, StackStatus
from ops.views.display import instance_table, lag, owners, parked, print_troubles, state, view_table
from ops.views.responses import Consumer, Status


def print_status(console: Console, status: StackStatus) -> None:
    """The services, then what the projector tells: its instances, the views, the other consumers of the log."""
    console.print(_services(status.services))
    for service in status.services:
        if not service.ready:
            print_error(console, f"{service.name}: {service.problem}")
    projector = _read(status.projector)
    if projector is None:
        console.print("The projector does not tell how far the views are.", style="red")
        return
    console.print()
    console.print(f"The event store's last position is {text_of(projector.event_store.position)}.")
    if projector.instances:
        console.print(instance_table(projector.instances))
        console.print()
    console.print(view_table(projector.views, short=True))
    if projector.consumers:
        console.print()
        console.print(_consumers(projector.consumers))
    print_troubles(console, [*projector.views, *projector.consumers])


def _read(answer: dict[str, Any] | None) -> Status | None:
    if answer is None:
        return None
    try:
        return msgspec.convert(answer, Status)
    except msgspec.ValidationError:
        return None


def _consumers(consumers: Sequence[Consumer]) -> Table:
    table = plain_table("consumer", "state", "position", "lag", "parked", "owners")
    for one in consumers:
        cells = escape(lag(one)), parked(one), escape(owners(one.partitions))
        table.add_row(escape(one.name), state(one.state), text_of(one.position), *cells)
    return table


def _services(services: list[ServiceStatus]) -> Table:
    table = plain_table("service", "URL", "pid", "state", "restarts")
    for service in services:
        state = "[green]ready[/]" if service.ready else "[red]not ready[/]"
        pid, restarts = str(service.pid or UNKNOWN), str(service.restarts or "")
        table.add_row(service.name, short_url(service.url), pid, state, restarts)
    return table
