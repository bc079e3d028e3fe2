"""Which documents the events of a log name: each SHA-256 that stands in an event, and where."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.document_store import is_digest
from infrastructure.event_store import StoredEvent

_SUFFIX = "_sha256"
OTHERS = frozenset({"certificate_sha256"})
"""Fields whose SHA-256 is not of a document in the store."""

_mapping = msgspec.json.Decoder(dict[str, Any])


class Naming(Struct, frozen=True, gc=False):
    """An event names a document in one of its fields."""

    digest: str
    field: str
    stream: str
    revision: int
    event_id: str
    type: str


def documents_named(event: StoredEvent) -> Iterator[Naming]:
    """By its fields whose names end in `_sha256`. What is no JSON names none; that it is damaged, the chains tell."""
    if _SUFFIX.encode() not in event.data:
        return
    try:
        fields = _mapping.decode(event.data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    for name, value in fields.items():
        if name.endswith(_SUFFIX) and name not in OTHERS and isinstance(value, str) and is_digest(value):
            yield Naming(value, name, event.stream, event.revision, event.id, event.type)
