"""An aggregate's audit trail: every event of its stream, with who, when and which command."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.types import Scope
from msgspec import UNSET, Struct, UnsetType

from domain.model.aggregate import Aggregate
from domain.model.event_types import UndecodableEvent, UnknownEventType
from infrastructure.event_codec import Decode, EventMetadata, decode_metadata
from infrastructure.event_store import StoredEvent
from infrastructure.http.problems import Problem
from query_api.http.kinds import described, parser
from query_api.http.openapi import STREAM_REFUSALS
from query_api.http.ownership import concealing, is_visible, own_alone
from query_api.http.parameters import MAX_POSITION, RouteParameter, whole_number
from query_api.http.problems import not_found
from query_api.http.responses import Response, weak
from query_api.http.route import Route
from query_api.http.times import rfc3339
from query_api.read_side import ReadSide
from query_api.streams.as_of import EventsAsOf
from query_api.streams.naming import aggregate_path, id_parameter, operation_of, with_article
from query_api.streams.state import folded
from query_api.streams.stream import events_and_first, is_whole, stream_events

MAX_EVENTS = 1000


class HistoryEntry(Struct, omit_defaults=True):
    """One event. `schema_version` is the one it was stored in; `data` is in the newest shape. `actor` is for whom the
    command was sent, `sent_by` who sent it where that is somebody else.

    An event that can't be decoded has no `data` but `error`, and what is stored: `stored_data` where that is JSON,
    else `stored_base64`.
    """

    type: str
    revision: int
    position: int
    recorded_at: str
    event_id: str
    schema_version: int | UnsetType = UNSET
    actor: str | UnsetType = UNSET
    sent_by: str | UnsetType = UNSET
    command_id: str | UnsetType = UNSET
    correlation_id: str | UnsetType = UNSET
    causation_id: str | UnsetType = UNSET
    data: Any = UNSET
    error: str | UnsetType = UNSET
    stored_data: Any = UNSET
    stored_base64: str | UnsetType = UNSET


class History(Struct, omit_defaults=True):
    """A stream's events, oldest first. `next` is the revision to go on `from`; it is absent on the last page.

    `first_version` is there when the stream has lost what stood before that version. It is `truncated` then, unless the
    aggregate was deleted and began anew with that version.
    """

    stream: str
    items: list[HistoryEntry]
    next: int | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    first_version: int | UnsetType = UNSET


_FROM = RouteParameter(
    "from", "The first revision shown", {"type": "integer", "minimum": 0, "maximum": MAX_POSITION - 1, "default": 0}
)
_LIMIT = RouteParameter(
    "limit",
    "How many events at most",
    {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS, "default": MAX_EVENTS},
)


def history_route(read_side: ReadSide, aggregate: Aggregate) -> Route:
    """The events of one instance, from a revision on."""
    name, parse, access = aggregate.id_field, parser(id_parameter(aggregate)), aggregate.access_to_history

    async def respond(scope: Scope, query: Mapping[str, str]) -> Response:
        aggregate_id = parse(scope["path_params"][name])
        first = whole_number(query.get("from", "0"), "from", 0, MAX_POSITION - 1)
        limit = whole_number(query.get("limit", str(MAX_EVENTS)), "limit", 1, MAX_EVENTS)
        stream, absent = aggregate.stream(aggregate_id), _absent(aggregate, aggregate_id, first)
        if own_alone(scope, access) is None:
            events, oldest = await events_and_first(read_side, stream, first, limit + 1)
        else:
            with concealing(scope, access, absent):
                whole = await _own_events(read_side, aggregate, aggregate_id, scope)
            events = [event for event in whole if event.revision >= first][: limit + 1]
            oldest = whole[0] if whole else None
        if not events:
            raise absent
        decode = await read_side.codec.decoder(events[:limit])
        history = History(stream, [_entry(decode, event) for event in events[:limit]])
        if len(events) > limit:
            history.next = events[limit].revision
        if oldest is not None and oldest.revision > 0:
            history.first_version = oldest.revision
            history.truncated = not is_whole(read_side.codec, aggregate, oldest)
        return weak(scope, history)

    return Route(
        path=f"{aggregate_path(aggregate)}/history",
        operation=operation_of("Get", aggregate, "History"),
        summary=f"{with_article(aggregate)}'s audit trail, from its event stream",
        respond=respond,
        answer=History,
        description=(
            "An event of an unknown type, or one that can't be decoded, is shown with its error and as stored. "
            "`first_version` says that what stood before that version has been cut off."
        ),
        refusals=STREAM_REFUSALS,
        parameters=(_FROM, _LIMIT),
        in_path=(described(id_parameter(aggregate)),),
        access=access,
    )


def _absent(aggregate: Aggregate, aggregate_id: str, first: int) -> Problem:
    named = f"{aggregate.category} {aggregate_id}"
    return not_found(named if first == 0 else f"event {first} of {named}")


async def _own_events(read_side: ReadSide, aggregate: Aggregate, aggregate_id: str, scope: Scope) -> list[StoredEvent]:
    """All events of the stream, if they say that it is the caller's own; else none. From one read, so that they are
    those of the very aggregate whose owner was looked at."""
    events = await stream_events(read_side, aggregate.stream(aggregate_id))
    if not events:
        return []
    found = EventsAsOf(
        aggregate.stream(aggregate_id),
        events,
        events[0],
        events[-1].revision,
        is_whole(read_side.codec, aggregate, events[0]),
    )
    state, _, _ = await folded(read_side, aggregate, aggregate_id, found)
    return events if is_visible(scope, aggregate.access_to_history, aggregate.owner_of(state)) else []


def _entry(decode: Decode, stored: StoredEvent) -> HistoryEntry:
    entry = HistoryEntry(stored.type, stored.revision, stored.position, rfc3339(stored.recorded_at), stored.id)
    try:
        _add_metadata(entry, decode_metadata(stored))
        entry.data = decode(stored).event
    except (UnknownEventType, UndecodableEvent) as error:
        entry.error = str(error)
        _add_stored(entry, stored.data)
    return entry


def _add_metadata(entry: HistoryEntry, metadata: EventMetadata) -> None:
    entry.schema_version = metadata.schema_version
    entry.actor = _set(metadata.actor)
    entry.sent_by = _set(metadata.sent_by)
    entry.command_id = _set(metadata.command_id)
    entry.correlation_id = _set(metadata.correlation_id)
    entry.causation_id = _set(metadata.causation_id)


def _set(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def _add_stored(entry: HistoryEntry, data: bytes) -> None:
    try:
        entry.stored_data = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        entry.stored_base64 = base64.b64encode(data).decode()
