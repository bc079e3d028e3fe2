"""What each system projection emits for an event: pure."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from embedded.event_store_node.log import metadata
from embedded.event_store_node.log.events import (
    DELETED_STREAM_REVISION,
    JSON_CONTENT_TYPE,
    LINK_TYPE,
    METADATA_TYPE,
    TOMBSTONE_TYPE,
    LoggedEvent,
    is_metadata_stream,
)
from embedded.event_store_node.log.records import RecordedEvent

# An event whose data is the name of a stream.
STREAM_REFERENCE_TYPE = "$@"

_CATEGORY_SEPARATOR = "-"


class Source(NamedTuple):
    """An event of the log, as the projections see it. `created` is in ticks of 100 ns since the Unix epoch."""

    position: int
    stream: str
    revision: int
    type: str
    id: str
    is_json: bool
    created: int
    metadata: bytes
    data: bytes

    @property
    def link(self) -> bytes:
        """The data of a link to this event; a link is never linked to, but repeated."""
        return self.data if self.type == LINK_TYPE else f"{self.revision}@{self.stream}".encode()

    @property
    def deleted_stream(self) -> str | None:
        """The stream that this event deletes, softly or for good."""
        if not is_metadata_stream(self.stream):
            return self.stream if self.type == TOMBSTONE_TYPE else None
        if self.type == METADATA_TYPE and metadata.parse(self.data).truncate_before == DELETED_STREAM_REVISION:
            return self.stream[2:]
        return None


class Emission(NamedTuple):
    """An event to append to a stream; `extra` goes into its metadata."""

    stream: str
    type: str
    data: bytes
    extra: dict[str, Any]


class Definition(NamedTuple):
    """
    A system projection. `number`, `handler` and `query` are what the real server calls it by in its own
    records; clients and link metadata show them.
    """

    name: str
    number: int
    handler: str
    query: str
    takes_links: bool
    emit: Callable[[Source], Emission | None]


def takes(definition: Definition, event: LoggedEvent) -> bool:
    """Whether the projection looks at the event: system streams are left out, metadata of user streams is not."""
    if event.type == LINK_TYPE and not definition.takes_links:
        return False
    stream = event.stream
    return not stream.startswith("$") or (is_metadata_stream(stream) and not stream.startswith("$", 2))


def source(event: LoggedEvent) -> Source | None:
    """The event in full; None if it claims to be JSON and is not, for then no projection takes it."""
    record = RecordedEvent.FromString(event.record)
    is_json = record.metadata["content-type"] == JSON_CONTENT_TYPE
    if is_json and not _is_json(record.data):
        return None
    return Source(
        event.position,
        event.stream,
        event.revision,
        event.type,
        record.id.string,
        is_json,
        int(record.metadata["created"]),
        record.custom_metadata,
        record.data,
    )


def metadata_object(data: bytes) -> dict[str, Any]:
    """The JSON object in an event's metadata; an empty one if there is none."""
    try:
        document = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _category(stream: str) -> str | None:
    """What stands before the first `-`; system streams and names without one have no category."""
    category, separator, _ = stream.partition(_CATEGORY_SEPARATOR)
    return category if separator and category and not stream.startswith("$") else None


def _streams(event: Source) -> Emission | None:
    if event.revision != 0:
        return None
    return Emission("$streams", LINK_TYPE, f"0@{event.stream}".encode(), {})


def _stream_by_category(event: Source) -> Emission | None:
    category = _category(event.stream)
    if event.revision != 0 or category is None:
        return None
    return Emission(f"$category-{category}", STREAM_REFERENCE_TYPE, event.stream.encode(), {})


def _by_category(event: Source) -> Emission | None:
    deleted = event.deleted_stream
    origin = event.stream if deleted is None else deleted
    category = _category(origin)
    if category is None:
        return None
    extra: dict[str, Any] = {"$o": origin}
    if deleted is not None:
        extra["$deleted"] = -1
    return Emission(f"$ce-{category}", LINK_TYPE, event.link, extra)


def _by_event_type(event: Source) -> Emission | None:
    deleted = event.deleted_stream
    if deleted is None:
        return Emission(f"$et-{event.type}", LINK_TYPE, event.link, {})
    return Emission("$et-$deleted", LINK_TYPE, f"{event.revision}@{deleted}".encode(), {"$deleted": -1})


def _by_correlation_id(event: Source) -> Emission | None:
    correlation_id = metadata_object(event.metadata).get("$correlationId")
    if not isinstance(correlation_id, str | int | float):
        return None
    created = datetime.fromtimestamp(event.created // 10_000_000, UTC)
    stamp = f"{created:%Y-%m-%dT%H:%M:%S}.{event.created % 10_000_000 // 10:06}Z"
    # A name is UTF-8: half a surrogate pair becomes what the real server makes of it.
    stream = f"$bc-{correlation_id}".encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Emission(stream, LINK_TYPE, event.link, {"$eventTimestamp": stamp})


_NATIVE = "native:EventStore.Projections.Core.Standard."
_BY_FIRST_DASH = "first\r\n-"
_BY_CORRELATION_ID = '{"correlationIdProperty":"$correlationId"}'

DEFINITIONS = (
    Definition("$streams", 1, _NATIVE + "IndexStreams", "", True, _streams),
    Definition("$stream_by_category", 2, _NATIVE + "CategorizeStreamByPath", _BY_FIRST_DASH, True, _stream_by_category),
    Definition("$by_category", 3, _NATIVE + "CategorizeEventsByStreamPath", _BY_FIRST_DASH, True, _by_category),
    Definition("$by_event_type", 4, _NATIVE + "IndexEventsByEventType", "", False, _by_event_type),
    Definition("$by_correlation_id", 5, _NATIVE + "ByCorrelationId", _BY_CORRELATION_ID, False, _by_correlation_id),
)
