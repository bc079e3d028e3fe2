"""`eventfold status` as tables."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ops.inbox.client import Sources, SourceStatus
from ops.locations import short_url
from ops.output import UNKNOWN, duration, number, plain_table, text_of
from ops.sagas.responses import ProcessCounts, Processes
from ops.status.health import DependencyTold
from ops.status.inspection import ServiceStatus, StackStatus
from ops.views.display import instance_table, lag, owners, parked, state, troubles, view_table
from ops.views.responses import Consumer, Status

T = TypeVar("T")

_STATES = {"ready": "[green]ready[/]", "degraded": "[yellow]degraded[/]"}


def print_status(console: Console, status: StackStatus) -> None:
    """All of it."""
    for part in parts(status):
        console.print(part, soft_wrap=isinstance(part, Text))


def parts(status: StackStatus) -> Iterator[RenderableType]:
    """The services and what is wrong with them, then what the projector tells (its instances, the views, the other
    consumers of the log), then the processes and the sources of other systems' messages."""
    yield _services(status.services)
    for service in status.services:
        yield from _problems(service)
    projector = _read(status.projector, Status)
    if projector is None:
        yield Text("The projector does not tell how far the views are.", style="red")
        projector = _read(status.consumers, Status)
    if projector is not None:
        yield from _followers(projector)
    processes = _read(status.processes, Processes)
    if processes is not None and processes.processes:
        yield ""
        yield from _processes(processes.processes)
    sources = _read(status.sources, Sources)
    if sources is not None and sources.sources:
        yield ""
        yield from _sources(sources.sources)


def _followers(told: Status) -> Iterator[RenderableType]:
    yield ""
    yield Text(f"The event store's last position is {text_of(told.event_store.position)}.")
    if told.instances:
        yield instance_table(told.instances)
        yield ""
    if told.views:
        yield view_table(told.views, short=True)
    if told.consumers:
        yield ""
        yield _consumers(told.consumers)
    for line in troubles([*told.views, *told.consumers]):
        yield Text(line, style="red")


def _read(answer: dict[str, Any] | None, kind: type[T]) -> T | None:
    if answer is None:
        return None
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError:
        return None


def _consumers(consumers: Sequence[Consumer]) -> Table:
    table = plain_table("consumer", "state", "position", "lag", "events/s", "parked", "owners")
    for one in consumers:
        cells = (
            *(escape(lag(one)), number(one.events_per_second)),
            *(parked(one), escape(owners(one.partitions))),
        )
        table.add_row(escape(one.name), state(one.state), text_of(one.position), *cells)
    return table


def _processes(processes: Sequence[ProcessCounts]) -> Iterator[RenderableType]:
    table = plain_table("process", "running", "stuck", "ended")
    for one in processes:
        stuck = f"[red]{one.stuck:,}[/]" if one.stuck else "0"
        table.add_row(escape(one.process), number(one.running), stuck, number(one.ended))
    yield table
    if any(one.stuck for one in processes):
        yield Text("Those that are stuck wait for an operator: eventfold sagas list --stuck", style="red")


def _sources(sources: Sequence[SourceStatus]) -> Iterator[RenderableType]:
    table = plain_table("source", "kind", "state", "waiting", "parked")
    for one in sources:
        state = "[red]waits[/]" if one.trouble else "[green]live[/]"
        parked = f"[red]{one.parked:,}[/]" if one.parked else number(one.parked)
        table.add_row(escape(one.name), escape(one.kind), state, number(one.lag), parked)
    yield table
    for one in sources:
        if one.trouble:
            yield Text(f"{one.name}: {one.trouble}", style="red")
    if any(one.parked for one in sources):
        yield Text("Those that are parked wait for an operator: eventfold inbox dead-letters list", style="red")


def _services(services: list[ServiceStatus]) -> Table:
    table = plain_table("service", "URL", "pid", "state", "version", "up", "restarts", "depends on")
    for service in services:
        state = _STATES.get(service.status, "[red]not ready[/]") if service.ready else "[red]not ready[/]"
        pid, restarts = str(service.pid or UNKNOWN), str(service.restarts or "")
        needs = ", ".join(_dependency(name, one) for name, one in service.dependencies.items())
        cells = escape(text_of(service.version)), duration(service.uptime_seconds), restarts, needs
        table.add_row(service.name, short_url(service.url), pid, state, *cells)
    return table


def _dependency(name: str, told: DependencyTold) -> str:
    """Its latency; its breaker, unless that is closed; in the colour of how it does."""
    took = "" if told.latency_seconds is None else f" {told.latency_seconds * 1000:.1f} ms"
    breaker = f" ({told.breaker.replace('_', '-')})" if told.breaker not in (None, "closed") else ""
    style = {"ok": "", "degraded": "yellow"}.get(told.status, "red")
    text = escape(f"{name}{took}{breaker}")
    return f"[{style}]{text}[/]" if style else text


def _problems(service: ServiceStatus) -> Iterator[Text]:
    if not service.ready:
        yield Text(f"{service.name}: {service.problem}", style="red")
    for name, one in service.dependencies.items():
        if one.status == "degraded" and one.detail:
            yield Text(f"{service.name}: {name}: {one.detail}", style="yellow")
