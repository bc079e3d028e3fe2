"""Stream metadata: the JSON of the last event of `$$stream`."""

import json
from dataclasses import dataclass
from typing import Any

from embedded.event_store_node.log.events import DELETED_STREAM_REVISION

SOFT_DELETE = b'{"$tb":9223372036854775807}'


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """Which of a stream's events can be read, as its metadata says; absent and malformed values are None."""

    max_count: int | None = None
    max_age_seconds: int | None = None
    truncate_before: int | None = None

    @property
    def is_soft_deleted(self) -> bool:
        return self.truncate_before == DELETED_STREAM_REVISION

    def first_readable(self, last_revision: int) -> int:
        """The lowest revision that a read may return, before `$maxAge` is considered."""
        first = self.truncate_before or 0
        if self.max_count is not None:
            first = max(first, last_revision - self.max_count + 1)
        return max(first, 0)


EMPTY = StreamMetadata()
# A metadata stream's own, fixed metadata: only its last event counts.
OF_METADATA_STREAM = StreamMetadata(max_count=1)


def parse(data: bytes) -> StreamMetadata:
    """The metadata in `data`; what is not a JSON object, and each value that makes no sense, is ignored."""
    document = _json_object(data)
    if document is None:
        return EMPTY
    return StreamMetadata(
        max_count=_positive(document.get("$maxCount")),
        max_age_seconds=_positive(document.get("$maxAge")),
        truncate_before=_positive(document.get("$tb")),
    )


def recreated(data: bytes, first_revision: int) -> bytes | None:
    """
    The metadata of a soft-deleted stream that is written to again: `$tb` at the first new revision, all other
    keys kept. None when the metadata is not a JSON object.
    """
    document = _json_object(data)
    if document is None:
        return None
    document["$tb"] = first_revision
    return json_bytes(document)


def json_bytes(document: dict[str, Any]) -> bytes:
    """Compact JSON. Half a surrogate pair, which JSON may hold and UTF-8 may not, stays the escape that it came as."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="backslashreplace")


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _positive(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= DELETED_STREAM_REVISION:
        return value
    return None
