"""What is published, as an AsyncAPI 3.0 document: a channel a context, a message an event, each with its schema."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from infrastructure.application import Application
from infrastructure.integration.catalogue import CatalogueEntry, catalogue, envelope_example
from infrastructure.integration.cloud_event import STRUCTURED
from infrastructure.integration.publisher import schema_of, source_of
from infrastructure.version import installed_version

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def asyncapi(application: Application, title: str = "Eventfold") -> dict[str, Any]:
    """The document. Every message is a CloudEvent as one JSON document, as webhooks get it."""
    entries = [entry for entry in catalogue(application) if entry.kind == "integration"]
    by_context: dict[str, list[CatalogueEntry]] = {}
    for entry in entries:
        by_context.setdefault(entry.producer, []).append(entry)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{title}: integration events",
            "version": installed_version(),
            "description": "CloudEvents 1.0, at least once: who receives one twice knows it by its source and id. The "
            "events of one subject come in order.",
        },
        "defaultContentType": STRUCTURED,
        "channels": {context: _channel(context, ours) for context, ours in by_context.items()},
        "operations": {f"publish-{context}": _operation(context, ours) for context, ours in by_context.items()},
        "components": {"messages": {entry.key: _message(entry) for entry in entries}},
    }


def envelope_schema(entry: CatalogueEntry) -> dict[str, Any]:
    """The JSON Schema of a published event in its envelope, all in one document."""
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


def _channel(context: str, entries: Sequence[CatalogueEntry]) -> dict[str, Any]:
    return {
        "address": f"eventfold.{context}",
        "description": f"What {context} publishes.",
        "messages": {entry.key: {"$ref": f"#/components/messages/{entry.key}"} for entry in entries},
    }


def _operation(context: str, entries: Sequence[CatalogueEntry]) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{context}"},
        "messages": [{"$ref": f"#/channels/{context}/messages/{entry.key}"} for entry in entries],
    }


def _message(entry: CatalogueEntry) -> dict[str, Any]:
    example: Mapping[str, Any] = msgspec.json.decode(envelope_example(entry))
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
