"""The definitions of all groups as they are kept in the log: one JSON document, the last event of a stream."""

import json
from datetime import UTC, datetime
from typing import Any

from embedded.event_store_node.log.events import JSON_CONTENT_TYPE
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.persistent.definition import ALL, Definition, FilterDefinition, Settings

STREAM = "$persistentSubscriptionConfig"
TYPE = "$PersistentConfig"
METADATA = {"$maxCount": 2}

# The server's name for each setting that is a number.
_NUMBERS = {
    "messageTimeout": "message_timeout_ms",
    "liveBufferSize": "live_buffer_size",
    "historyBufferSize": "history_buffer_size",
    "maxRetryCount": "max_retry_count",
    "readBatchSize": "read_batch_size",
    "checkPointAfter": "checkpoint_after_ms",
    "minCheckPointCount": "min_checkpoint_count",
    "maxCheckPointCount": "max_checkpoint_count",
    "maxSubscriberCount": "max_subscriber_count",
}

# The server's start in a stream for a group that is on `$all`.
_NO_REVISION = -(2**63)


class BadConfigurationError(Exception):
    """The configuration in the log makes no sense; the message says why."""


def load(reader: Reader) -> tuple[list[Definition], bool]:
    """
    The definitions in the log, and whether there has been a configuration at all.

    Raises:
        BadConfigurationError: somebody else wrote it.
    """
    stream = reader.stream(STREAM)
    events = reader.stream_backwards(stream, stream.last_revision, 1) if stream.is_found else []
    if not events:
        return [], False
    record = RecordedEvent.FromString(events[0].record)
    try:
        if record.metadata["content-type"] != JSON_CONTENT_TYPE:
            raise ValueError("not JSON")
        return read(json.loads(record.data)), True
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadConfigurationError(f"revision {record.stream_revision} of {STREAM}: {error!r}") from error


def read(document: dict[str, Any]) -> list[Definition]:
    """The definitions in a document; it may be one that the server wrote."""
    return [_definition(entry) for entry in document.get("entries", [])]


def document(definitions: list[Definition], updated_by: str) -> dict[str, Any]:
    """The document that `read` understands."""
    return {
        "version": "2",
        "updated": datetime.now(UTC).isoformat(),
        "updatedBy": updated_by,
        "entries": [_entry(definition) for definition in definitions],
    }


def _entry(definition: Definition) -> dict[str, Any]:
    settings = definition.settings
    entry: dict[str, Any] = {
        "stream": definition.stream,
        "group": definition.group,
        "resolveLinkTos": settings.resolve_links,
        "extraStatistics": settings.extra_statistics,
        "startPosition": definition.start,
        "namedConsumerStrategy": settings.strategy,
        **{name: getattr(settings, attribute) for name, attribute in _NUMBERS.items()},
    }
    entry["startFrom"] = _NO_REVISION if definition.stream == ALL else int(definition.start)
    if definition.filter is not None:
        entry["filter"] = _filter_entry(definition.filter)
    if definition.end is not None:
        entry["end"] = definition.end
    # Values that are zero or false are left out, as the server does.
    return {name: value for name, value in entry.items() if value not in (0, False) or name == "end"}


def _filter_entry(definition: FilterDefinition) -> dict[str, Any]:
    return {
        "context": "eventtype" if definition.by_type else "streamid",
        "type": "regex" if definition.regex else "prefix",
        "data": definition.regex or ",".join(definition.prefixes),
        "isAllStream": True,
        # A prefix may hold a comma.
        **({} if definition.regex else {"prefixes": list(definition.prefixes)}),
    }


def _definition(entry: dict[str, Any]) -> Definition:
    settings = Settings(
        resolve_links=bool(entry.get("resolveLinkTos")),
        extra_statistics=bool(entry.get("extraStatistics")),
        strategy=str(entry["namedConsumerStrategy"]),
        **{attribute: int(entry.get(name, 0)) for name, attribute in _NUMBERS.items()},
    )
    return Definition(
        stream=str(entry["stream"]),
        group=str(entry.get("group", "")),
        start=str(entry.get("startPosition", entry.get("startFrom", 0))),
        settings=settings,
        filter=_filter(entry["filter"]) if "filter" in entry else None,
        end=entry.get("end"),
    )


def _filter(entry: dict[str, Any]) -> FilterDefinition:
    data = str(entry.get("data", ""))
    by_type = entry["context"] == "eventtype"
    if entry["type"] == "regex":
        return FilterDefinition(by_type, data, ())
    prefixes = entry.get("prefixes", [prefix for prefix in data.split(",") if prefix])
    return FilterDefinition(by_type, "", tuple(prefixes))
