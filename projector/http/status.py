"""What operators are told: how far each view is, how far behind, and what stands in its way."""

import asyncio
import time

from msgspec import Struct

from infrastructure.event_store import EventStoreUnavailable
from projector.engine import Engine
from projector.ports import EventLog
from projector.feeding.projection import Projection

_PATIENCE = 1.5


class EventStoreStatus(Struct, frozen=True):
    """`position` is the commit position of the log's newest event; None on an empty log or when it can't be asked."""

    position: int | None
    reachable: bool


class ViewStatus(Struct, frozen=True):
    """`lag_positions` is the distance to the log's newest event; `lag_seconds` the age of the oldest event that the
    view has not folded. Both are None while the event store can't be asked. `parked` counts events set aside.

    `state` is starting, catching_up, live, waiting (a store is away), or stopped (the view's own fault); `trouble`
    says why.
    """

    name: str
    version: int
    position: int | None
    lag_positions: int | None
    lag_seconds: float | None
    parked: int
    state: str
    trouble: str | None


class Status(Struct, frozen=True):
    """The answer to GET /status."""

    event_store: EventStoreStatus
    views: list[ViewStatus]


async def status_of(engine: Engine, event_log: EventLog) -> Status:
    """Asks the log for its end and compares every view with it; answers within two seconds in any case."""
    try:
        async with asyncio.timeout(_PATIENCE):
            last = await event_log.last_position()
            oldest = {position: await _first_after(event_log, position) for position in _behind(engine, last)}
    except (EventStoreUnavailable, TimeoutError):
        unknown = EventStoreStatus(None, reachable=False)
        return Status(unknown, [_view(engine, one, None, None) for one in engine.projections])
    now = time.time_ns() // 1_000_000
    views = []
    for projection in engine.projections:
        written_at = oldest.get(projection.position)
        seconds = 0.0 if written_at is None else max(0, now - written_at) / 1000
        distance = max(0, (-1 if last is None else last) - (-1 if projection.position is None else projection.position))
        views.append(_view(engine, projection, distance, seconds))
    return Status(EventStoreStatus(last, reachable=True), views)


def _behind(engine: Engine, last: int | None) -> set[int | None]:
    if last is None:
        return set()
    return {one.position for one in engine.projections if one.position is None or one.position < last}


async def _first_after(event_log: EventLog, position: int | None) -> int | None:
    events = event_log.read_all(position)
    try:
        async for event in events:
            return event.recorded_at
    finally:
        await events.aclose()  # type: ignore[attr-defined]
    return None


def _view(engine: Engine, projection: Projection, distance: int | None, seconds: float | None) -> ViewStatus:
    return ViewStatus(
        name=projection.view.name,
        version=projection.view.version,
        position=projection.position,
        lag_positions=distance,
        lag_seconds=seconds,
        parked=projection.parking.count,
        state=_state(engine, projection),
        trouble=projection.broken or projection.store.trouble or engine.trouble,
    )


def _state(engine: Engine, projection: Projection) -> str:
    if projection.broken is not None:
        return "stopped"
    if projection.store.trouble is not None or engine.trouble is not None:
        return "waiting"
    if not engine.connected:
        return "starting"
    return "live" if engine.caught_up else "catching_up"
