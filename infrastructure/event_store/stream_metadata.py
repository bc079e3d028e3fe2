"""What a stream's metadata says of its events: the JSON of the last event of `$$stream`."""

import json
import uuid
from typing import Any, Self

from msgspec import Struct

from infrastructure.event_store.events import NewEvent

METADATA_TYPE = "$metadata"
TOMBSTONE_TYPE = "$streamDeleted"

_SOFT_DELETED = 2**63 - 1


class StreamMetadata(Struct, frozen=True, gc=False):
    """`truncate_before` is the first revision that is still to be read, None when it says nothing of that."""

    truncate_before: int | None = None

    @property
    def is_soft_deleted(self) -> bool:
        """Whether the stream is deleted until it is written again."""
        return self.truncate_before == _SOFT_DELETED

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """What is not a JSON object, or makes no sense in it, is ignored, as the event store ignores it."""
        try:
            document: Any = json.loads(data)
        except (ValueError, RecursionError):
            return cls()
        before = document.get("$tb") if isinstance(document, dict) else None
        return cls(before if type(before) is int else None)


def metadata_stream(stream: str) -> str:
    """Where the metadata of a stream stands."""
    return f"$${stream}"


def max_count(events: int) -> NewEvent:
    """The metadata of a stream that keeps only so many of its last events."""
    return NewEvent(str(uuid.uuid4()), METADATA_TYPE, json.dumps({"$maxCount": events}).encode(), b"")
