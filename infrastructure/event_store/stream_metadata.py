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
    """`truncate_before` is the first revision that is still to be read, None when it says nothing of that; `expires`
    says whether events are removed when they are old."""

    # `$maxCount` is not among them: it always leaves the newest event, which says that the others were there.
    truncate_before: int | None = None
    expires: bool = False

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
        if not isinstance(document, dict):
            return cls()
        before, age = document.get("$tb"), document.get("$maxAge")
        return cls(before if type(before) is int else None, type(age) is int and age > 0)

    def may_have_removed(self, revision: int) -> bool:
        """Whether the stream's event of this revision may be gone by what the metadata says."""
        return self.expires or (self.truncate_before is not None and self.truncate_before > revision)


DELETED = StreamMetadata(_SOFT_DELETED)
"""That of a stream that is deleted."""


def metadata_stream(stream: str) -> str:
    """Where the metadata of a stream stands."""
    return f"$${stream}"


def max_count(events: int) -> NewEvent:
    """The metadata of a stream that keeps only so many of its last events."""
    return NewEvent(str(uuid.uuid4()), METADATA_TYPE, json.dumps({"$maxCount": events}).encode(), b"")
