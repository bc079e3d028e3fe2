"""What an aggregate was at an earlier moment: the events of its stream, as far as that moment."""

import re
from collections.abc import Mapping
from typing import Any

from domain.model.aggregate import Aggregate
from infrastructure.event_store import StoredEvent
from query_api.http.parameters import MAX_POSITION, RouteParameter, whole_number
from query_api.http.problems import malformed, not_found
from query_api.http.times import epoch_millis
from query_api.read_side import ReadSide
from query_api.streams.stream import stream_events

_VERSION = re.compile(r"[0-9]+", re.ASCII)
_MOMENT: Mapping[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_POSITION - 1},
        {"type": "string", "format": "date-time"},
    ]
}


def as_of_parameter(aggregate: Aggregate, *, required: bool = False) -> RouteParameter:
    """`as_of`; where it is required, there is no `at_least` to be combined with."""
    description = (
        f"The {aggregate.category} as it was at this time (RFC 3339; by the store's clock) or at this version, "
        "read from its events"
    )
    if not required:
        description += "; can't be combined with `at_least`"
    return RouteParameter("as_of", description, _MOMENT, required)


async def events_as_of(read_side: ReadSide, aggregate: Aggregate, aggregate_id: str, moment: str) -> list[StoredEvent]:
    """The stream's events up to a moment, at least one. Raises Problem when there was none."""
    stream = aggregate.stream(aggregate_id)
    if _VERSION.fullmatch(moment):
        version = whole_number(moment, "as_of", 0, MAX_POSITION - 1)
        events = await stream_events(read_side, stream, limit=version + 1)
        if len(events) <= version:
            raise not_found(f"version {version} of {aggregate.category} {aggregate_id}")
    else:
        recorded_until = _time(moment)
        events = _until(await stream_events(read_side, stream), recorded_until)
        if not events:
            raise not_found(f"{aggregate.category} {aggregate_id} at {moment}")
    return events


def _time(moment: str) -> int:
    try:
        return epoch_millis(moment)
    except ValueError as error:
        raise malformed(
            f"as_of must be a version number or a time such as 2026-01-31T15:00:00Z, not {moment[:50]!r}"
        ) from error


def _until(events: list[StoredEvent], recorded_until: int) -> list[StoredEvent]:
    # The first later event ends it, even if a clock that was set back makes one after it look earlier.
    for count, event in enumerate(events):
        if event.recorded_at > recorded_until:
            return events[:count]
    return events
