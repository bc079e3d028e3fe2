"""The events of one aggregate's stream, read and decoded for an answer."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from domain.model.aggregate import Aggregate
from domain.model.event_types import UndecodableEvent, UnknownEventType
from domain.model.recorded_event import RecordedEvent
from infrastructure.aggregate_streams import HistoryTruncated, begins, require_not_deleted
from infrastructure.event_codec import Decode, EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted
from infrastructure.http.problems import Problem, unreadable_history
from query_api.http.parameters import MAX_POSITION
from query_api.read_side import ReadSide


async def stream_events(
    read_side: ReadSide, stream: str, from_revision: int = 0, limit: int = MAX_POSITION
) -> list[StoredEvent]:
    """A stream's events; none when it never was. Raises Problem (410) when it has been deleted, or cut off entirely."""
    store = read_side.events
    try:
        read = await store.read_slice(stream, from_revision, limit)
        if not read.found:
            await require_not_deleted(store, stream)
        elif not read.events and from_revision == 0:
            raise cut_off(HistoryTruncated(stream, None))
    except StreamDeleted as error:
        raise Problem(410, "deleted", "It has been deleted", str(error)) from error
    return read.events


async def events_and_first(
    read_side: ReadSide, stream: str, from_revision: int, limit: int
) -> tuple[list[StoredEvent], StoredEvent | None]:
    """As `stream_events`, and the first event of the stream that is still there."""
    if from_revision == 0:
        events = await stream_events(read_side, stream, 0, limit)
        return events, events[0] if events else None
    events, head = await asyncio.gather(
        stream_events(read_side, stream, from_revision, limit), stream_events(read_side, stream, 0, 1)
    )
    return events, head[0] if head else None


def cut_off(error: HistoryTruncated) -> Problem:
    """410: what was asked for stood before the first version that is still there."""
    title = "Its history has been cut off"
    return Problem(410, "history-truncated", title, str(error), first_version=error.first_version)


def is_whole(codec: EventCodec, aggregate: Aggregate, first: StoredEvent) -> bool:
    """Whether a stream of which this is the first event left needs nothing before it."""
    try:
        return begins(aggregate, codec, first)
    except UnknownEventType:
        return first.revision == 0


def decoded(decode: Decode, events: Iterable[StoredEvent]) -> Iterator[RecordedEvent[Any]]:
    """The events, one after another; `decode` is what the codec gives for them.

    Raises Problem (500, or 503 where a newer release wrote it) at one that can't be decoded: no fold of them is right.
    """
    for stored in events:
        try:
            yield decode(stored)
        except (UnknownEventType, UndecodableEvent) as error:
            detail = f"event {stored.revision} of {stored.stream}: {error}; its history shows what is stored"
            raise unreadable_history(error, detail) from error
