"""What is published and what is taken, as an AsyncAPI 3.0 document: a channel a context or another system, a message an
event, each with its schema."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from infrastructure.application import Application
from infrastructure.integration.catalogue import CatalogueEntry, catalogue, envelope_example, received_example
from infrastructure.integration.cloud_event import STRUCTURED
from infrastructure.integration.publisher import schema_of, source_of
from infrastructure.version import installed_version

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def asyncapi(application: Application, title: str = "Eventfold") -> dict[str, Any]:
    """The document. Every message is a CloudEvent as one JSON document, as webhooks get it."""
    entries = [entry for entry in catalogue(application) if entry.kind != "domain"]
    by_context: dict[str, list[CatalogueEntry]] = {}
    for entry in entries:
        channel = f"from-{entry.producer}" if entry.kind == "inbound" else entry.producer
        by_context.setdefault(channel, []).append(entry)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{title}: integration events",
            "version": installed_version(),
            "description": "CloudEvents 1.0, at least once: who receives one twice knows it by its source and id. The "
            "events of one subject come in order. What is received may come in the binary mapping as well.",
        },
        "defaultContentType": STRUCTURED,
        "channels": {context: _channel(context, ours) for context, ours in by_context.items()},
        "operations": {
            _operation_name(context, ours): _operation(context, ours) for context, ours in by_context.items()
        },
        "components": {"messages": {entry.key: _message(entry) for entry in entries}},
    }


def envelope_schema(entry: CatalogueEntry) -> dict[str, Any]:
    """The JSON Schema of a published event, or of a message that is taken, in its envelope, all in one document."""
    if entry.kind == "inbound":
        return _received_schema(entry)
    data = dict(entry.schema)
    definitions = data.pop("$defs")
    text = {"type": "string", "minLength": 1}
    return {
        "$schema": _DRAFT,
        "$id": schema_of(entry.key),
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": {"const": source_of(entry.producer)},
            "type": {"const": entry.key},
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": schema_of(entry.key)},
            "partitionkey": text,
            "sequence": {"type": "string", "pattern": "^[0-9]{20}$"},
            **dict.fromkeys(("correlationid", "causationid", "traceparent", "tracestate"), text),
            "data": data,
        },
        "required": [
            *("specversion", "id", "source", "type", "subject", "time"),
            *("datacontenttype", "dataschema", "partitionkey", "sequence", "data"),
        ],
        "$defs": definitions,
    }


def _received_schema(entry: CatalogueEntry) -> dict[str, Any]:
    """What the sender may leave out, or add, is not said to be wrong."""
    data = dict(entry.schema)
    definitions = data.pop("$defs")
    text = {"type": "string", "minLength": 1, "maxLength": 1024}
    return {
        "$schema": _DRAFT,
        "$id": schema_of(entry.key),
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            **dict.fromkeys(("id", "source"), text),
            "type": {"const": entry.key},
            **dict.fromkeys(("subject", "partitionkey", "correlationid", "traceparent", "tracestate"), text),
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"type": "string"},
            "data": data,
        },
        "required": ["specversion", "id", "source", "type", "data"],
        "$defs": definitions,
    }


def _operation_name(channel: str, entries: Sequence[CatalogueEntry]) -> str:
    return f"receive-{channel}" if entries[0].kind == "inbound" else f"publish-{channel}"


def _channel(context: str, entries: Sequence[CatalogueEntry]) -> dict[str, Any]:
    taken = entries[0].kind == "inbound"
    return {
        # Where it comes from is for each installation to say (EVENTFOLD_INBOUND_SOURCES).
        "address": None if taken else f"eventfold.{context}",
        "description": f"What is taken from {entries[0].producer}." if taken else f"What {context} publishes.",
        "messages": {entry.key: {"$ref": f"#/components/messages/{entry.key}"} for entry in entries},
    }


def _operation(context: str, entries: Sequence[CatalogueEntry]) -> dict[str, Any]:
    return {
        "action": "receive" if entries[0].kind == "inbound" else "send",
        "channel": {"$ref": f"#/channels/{context}"},
        "messages": [{"$ref": f"#/channels/{context}/messages/{entry.key}"} for entry in entries],
    }


def _message(entry: CatalogueEntry) -> dict[str, Any]:
    example: Mapping[str, Any] = msgspec.json.decode(
        received_example(entry) if entry.kind == "inbound" else envelope_example(entry)
    )
    return {
        "name": entry.key,
        "title": entry.name,
        "summary": entry.summary,
        "contentType": STRUCTURED,
        "payload": _embedded(envelope_schema(entry), f"#/components/messages/{entry.key}/payload"),
        "examples": [{"payload": example}],
    }


def _embedded(schema: Any, at: str) -> Any:
    """The schema within another document: its references are to where its definitions then are, and it has no name and
    no dialect of its own."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: f"{at}/{one.removeprefix('#/')}" if name == "$ref" and isinstance(one, str) else moved(one)
                for name, one in value.items()
            }
        return [moved(one) for one in value] if isinstance(value, list) else value

    inner = moved({name: value for name, value in schema.items() if name not in ("$schema", "$id")})
    # AsyncAPI's own dialect has no $defs.
    return msgspec.json.decode(
        msgspec.json.encode({**inner, "definitions": inner.pop("$defs")}).replace(b"/$defs/", b"/definitions/")
    )
