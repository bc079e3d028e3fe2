"""Which events may be gone from the log: those of streams that were deleted, cut off, or keep only their last events.

What says so is itself in the log, and in the tree: an event of the stream's metadata, or its tombstone.
"""

import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any, Protocol

from infrastructure.event_store import StoredEvent, StreamDeleted, StreamMetadata, StreamSlice, metadata_stream

_ALL = 2**63 - 1
_CACHED = 100_000


class LogReads(Protocol):
    """See infrastructure.event_store.EventStore."""

    def read_all(self, after: int | None = ...) -> AsyncIterator[StoredEvent]: ...

    async def read_slice(self, stream: str, from_revision: int = ..., limit: int = ...) -> StreamSlice: ...

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]: ...


class Removals:
    """Asks the log as it is now, once a stream."""

    def __init__(self, store: LogReads) -> None:
        self._store = store
        self._below: OrderedDict[str, int] = OrderedDict()

    async def explain(self, stream: str, revision: int) -> bool:
        """Whether the event may be gone. Raises EventStoreUnavailable."""
        below = self._below.get(stream)
        if below is None:
            below = self._below[stream] = await self._first_kept(stream)
            if len(self._below) > _CACHED:
                self._below.popitem(last=False)
        return revision < below

    async def _first_kept(self, stream: str) -> int:
        try:
            if stream.startswith("$$"):
                # Of a stream's metadata only the newest count, and only they are kept.
                newest = await self._store.read_newest(stream, 1)
                return newest[0].revision if newest else 0
            metadata = await self._store.read_newest(metadata_stream(stream), 1)
            if not metadata:
                return 0
            said = StreamMetadata.parse(metadata[0].data)
            if said.expires:
                return _ALL
            first = said.truncate_before or 0
            kept = _max_count(metadata[0].data)
            if kept is not None and not said.is_soft_deleted:
                newest = await self._store.read_newest(stream, 1)
                first = max(first, newest[0].revision - kept + 1 if newest else 0)
        except StreamDeleted:
            return _ALL
        return first


def _max_count(data: bytes) -> int | None:
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    count = document.get("$maxCount") if isinstance(document, dict) else None
    return count if type(count) is int and count > 0 else None
