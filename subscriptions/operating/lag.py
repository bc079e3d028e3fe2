"""How far behind the log a position is: in events, in positions, in seconds."""

from collections.abc import Collection, Mapping

from msgspec import Struct

from infrastructure.clock import now_millis
from subscriptions.ports import EventLog

COUNTED = 1000
"""So many events are counted; where there are more, their number is estimated from the distance between these."""


class Lag(Struct, frozen=True):
    """`events` is an estimate unless `exact`; `seconds` is the age of the oldest event after the position."""

    positions: int
    events: int
    exact: bool
    seconds: float


NO_LAG = Lag(0, 0, True, 0.0)


async def lags_behind(
    event_log: EventLog, positions: Collection[int | None], end: int | None, most: int = COUNTED
) -> Mapping[int | None, Lag]:
    """The lag of each position behind the log, whose newest event is at `end`; `most` events are counted for each.
    Raises EventStoreUnavailable."""
    return {position: await _lag(event_log, position, end, most) for position in set(positions)}


async def _lag(event_log: EventLog, position: int | None, end: int | None, most: int) -> Lag:
    start = -1 if position is None else position
    if end is None or end <= start:
        return NO_LAG
    oldest, counted, at = None, 0, start
    events = event_log.read_all(position)
    try:
        async for event in events:
            if event.position > end:
                break
            oldest = event.recorded_at if oldest is None else oldest
            counted, at = counted + 1, event.position
            if counted == most:
                break
    finally:
        await events.aclose()  # type: ignore[attr-defined]
    if oldest is None:
        return Lag(end - start, 0, True, 0.0)
    exact = counted < most or at >= end
    number = counted if exact else round(counted * (end - start) / (at - start))
    return Lag(end - start, number, exact, max(0, now_millis() - oldest) / 1000)
