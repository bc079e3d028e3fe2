"""What an aggregate was at an earlier moment: the events of its stream, as far as that moment."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from domain.model.aggregate import Aggregate
from infrastructure.aggregate_streams import HistoryTruncated
from infrastructure.event_store import StoredEvent
from infrastructure.http.problems import Problem
from query_api.http.parameters import MAX_POSITION, RouteParameter, whole_number
from query_api.http.problems import malformed, not_found
from query_api.http.times import epoch_millis
from query_api.read_side import ReadSide
from query_api.streams.stream import cut_off, is_whole, stream_events

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


class EventsAsOf(Struct, frozen=True):
    """The events of a stream up to a moment, as far as they are still there. `version` is that of the moment, -1 where
    nothing tells which that was; `first` is the first event that is there, `whole` whether it needs nothing before it.
    """

    stream: str
    events: list[StoredEvent]
    first: StoredEvent
    version: int
    whole: bool

    def require_whole(self) -> list[StoredEvent]:
        """The events. Raises Problem (410) when the state can't be folded from them alone."""
        if not self.whole or not self.events:
            raise cut_off(HistoryTruncated(self.stream, self.first.revision))
        return self.events


def nothing_then(aggregate: Aggregate, aggregate_id: str, moment: str) -> Problem:
    """404: there was no such aggregate at that moment, or not yet that version of it."""
    if _VERSION.fullmatch(moment):
        return not_found(f"version {_version(moment)} of {aggregate.category} {aggregate_id}")
    return not_found(f"{aggregate.category} {aggregate_id} at {moment}")


async def events_as_of(read_side: ReadSide, aggregate: Aggregate, aggregate_id: str, moment: str) -> EventsAsOf:
    """What is left of the stream up to a moment. Raises Problem when there was nothing yet, or nothing is left."""
    stream = aggregate.stream(aggregate_id)
    if _VERSION.fullmatch(moment):
        version = _version(moment)
        # If its beginning is gone, these are more than needed.
        events = await stream_events(read_side, stream, limit=version + 1)
        if not events or events[-1].revision < version:
            raise nothing_then(aggregate, aggregate_id, moment)
        until = [event for event in events if event.revision <= version]
    else:
        recorded_until = _time(moment)
        events = await stream_events(read_side, stream)
        until = _until(events, recorded_until)
        if not until and (not events or events[0].revision == 0):
            raise nothing_then(aggregate, aggregate_id, moment)
        # Without any, nothing tells which version it had then.
        version = until[-1].revision if until else -1
    return EventsAsOf(stream, until, events[0], version, is_whole(read_side.codec, aggregate, events[0]))


def _version(moment: str) -> int:
    return whole_number(moment, "as_of", 0, MAX_POSITION - 1)


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
