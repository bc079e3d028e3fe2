"""The events of one aggregate's stream, read and decoded for an answer."""

from collections.abc import Iterable, Iterator
from typing import Any

from domain.model.event_types import UndecodableEvent, UnknownEventType
from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted
from infrastructure.http.problems import Problem
from query_api.http.parameters import MAX_POSITION
from query_api.read_side import ReadSide


async def stream_events(
    read_side: ReadSide, stream: str, from_revision: int = 0, limit: int = MAX_POSITION
) -> list[StoredEvent]:
    """A stream's events; those of a deleted stream can't be had any more."""
    try:
        return await read_side.events.read_stream(stream, from_revision, limit)
    except StreamDeleted as error:
        raise Problem(410, "deleted", "It has been deleted", str(error)) from error


def decoded(codec: EventCodec, events: Iterable[StoredEvent]) -> Iterator[RecordedEvent[Any]]:
    """The events, one after another. Raises Problem (500) at one that can't be decoded: no fold of them is right."""
    for stored in events:
        try:
            yield codec.decode(stored)
        except (UnknownEventType, UndecodableEvent) as error:
            detail = f"event {stored.revision} of {stored.stream}: {error}; its history shows what is stored"
            raise Problem(500, "unreadable-history", "Its stream holds an event that can't be read", detail) from error
