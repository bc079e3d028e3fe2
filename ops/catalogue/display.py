"""Events for people, in Markdown, which a terminal shows as well."""

from collections.abc import Sequence

import msgspec

from infrastructure.integration.asyncapi import envelope_schema
from infrastructure.integration.catalogue import CatalogueEntry, envelope_example, received_example


def described(entry: CatalogueEntry) -> str:
    """One event: what it is, its schema, an example."""
    example = bytes(entry.example) if entry.kind == "domain" else _enveloped(entry)
    schema = entry.schema if entry.kind == "domain" else envelope_schema(entry)
    facts = [f"- written by: {entry.producer}"]
    if entry.made_from:
        facts.append(f"- made from: {', '.join(entry.made_from)}")
    facts.append(f"- followed by: {', '.join(entry.consumers) or 'whoever takes it'}")
    parts = [
        f"### {entry.key}\n\n{entry.summary}\n",
        "\n".join(facts) + "\n",
        "Example:\n\n" + _json(example),
        "Schema:\n\n" + _json(msgspec.json.encode(schema)),
    ]
    return "\n".join(parts)


def page(entries: Sequence[CatalogueEntry]) -> str:
    """All events, what is published first."""
    parts = [
        "# Events\n",
        "Written by `eventfold catalogue page`; what it means: [integration events](integration-events.md).\n",
    ]
    for kind, title in (
        ("integration", "Published to others"),
        ("inbound", "Taken from other systems"),
        ("domain", "In the log"),
    ):
        ours = [entry for entry in entries if entry.kind == kind]
        parts += [f"## {title}\n", *(described(entry) for entry in ours)]
    return "\n".join(parts)


def _enveloped(entry: CatalogueEntry) -> bytes:
    return received_example(entry) if entry.kind == "inbound" else envelope_example(entry)


def _json(content: bytes) -> str:
    return f"```json\n{msgspec.json.format(content, indent=2).decode()}\n```\n"
