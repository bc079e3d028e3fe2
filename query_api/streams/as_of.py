"""What an order was at an earlier moment: its stream, folded as far as that moment by the view's own fold."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from domain.model.event_types import UndecodableEvent, UnknownEventType
from domain.ordering.aggregate import ORDER
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted
from infrastructure.http.problems import Problem
from infrastructure.read_store import StoredDocument
from query_api.parameters import MAX_POSITION, Parameter, malformed, whole_number
from query_api.sources import Sources, not_found
from query_api.times import epoch_millis
from read_models.model.view import View

AS_OF = Parameter(
    "as_of",
    "The order as it was at this time (RFC 3339; by the store's clock) or at this version, read from its events; "
    "can't be combined with `at_least`",
)

_VERSION = re.compile(r"[0-9]+", re.ASCII)


async def document_as_of(sources: Sources, view: View, order_id: str, moment: str) -> StoredDocument:
    """The view's document of the order at a moment. Raises Problem when there was none."""
    stream = ORDER.stream(order_id)
    if _VERSION.fullmatch(moment):
        version = whole_number(moment, "as_of", 0, MAX_POSITION - 1)
        events = await stream_events(sources, stream, limit=version + 1)
        if len(events) <= version:
            raise not_found(f"version {version} of order {order_id}")
    else:
        recorded_until = _time(moment)
        events = _until(await stream_events(sources, stream), recorded_until)
        if not events:
            raise not_found(f"order {order_id} at {moment}")
    return fold(sources.codec, view, events)


async def stream_events(
    sources: Sources, stream: str, from_revision: int = 0, limit: int = MAX_POSITION
) -> list[StoredEvent]:
    """A stream's events; those of a deleted stream can't be had any more."""
    try:
        return await sources.events.read_stream(stream, from_revision, limit)
    except StreamDeleted as error:
        raise Problem(410, "deleted", "It has been deleted", str(error)) from error


def fold(codec: EventCodec, view: View, events: Iterable[StoredEvent]) -> StoredDocument:
    """The document after the events. Raises Problem (500) when one can't be decoded: there is no right answer then."""
    document: Any = None
    position = -1
    for stored in events:
        try:
            recorded = codec.decode(stored)
        except (UnknownEventType, UndecodableEvent) as error:
            detail = f"event {stored.revision} of {stored.stream}: {error}; its history shows what is stored"
            raise Problem(500, "unreadable-history", "Its stream holds an event that can't be read", detail) from error
        if type(recorded.event) in view.events:
            document = view.fold(document, recorded)
            position = stored.position
    return StoredDocument(position, msgspec.to_builtins(document))


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
