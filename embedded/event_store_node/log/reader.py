"""
Reading the log in pages. A page is a bounded piece of work (well under a millisecond when cached), so pages
are read on the event loop itself: handing each row between threads would cost more than reading it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from embedded.event_store_node.log import metadata
from embedded.event_store_node.log.events import (
    DELETED_STREAM_REVISION,
    JSON_CONTENT_TYPE,
    LoggedEvent,
    is_metadata_stream,
    metadata_stream_of,
)
from embedded.event_store_node.log.metadata import StreamMetadata
from embedded.event_store_node.log.records import RecordedEvent

PAGE_EVENTS = 256
PAGE_BYTES = 2**20
# A page whose filter takes its time is cut short: the loop has others to serve.
PAGE_SECONDS = 0.005

_EVENT = (
    "SELECT e.position, s.name, e.revision, e.type, e.in_all, e.record FROM event e JOIN stream s ON s.id = e.stream"
)

Accepts = Callable[[LoggedEvent], bool]


class AllPage(NamedTuple):
    """
    A stretch of `$all`: the accepted events, the position of the last event looked at (None when there was
    none), how many were looked at, and whether the log ended there.
    """

    events: list[LoggedEvent]
    last_position: int | None
    considered: int
    is_end: bool


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream as a reader sees it; revisions below `first_readable` are truncated or expired."""

    id: int
    last_revision: int
    first_readable: int
    is_soft_deleted: bool

    @property
    def is_tombstoned(self) -> bool:
        return self.last_revision == DELETED_STREAM_REVISION

    @property
    def is_found(self) -> bool:
        return self.last_revision >= 0 and not self.is_soft_deleted


_MISSING = StreamInfo(id=0, last_revision=-1, first_readable=0, is_soft_deleted=False)
_TOMBSTONED = StreamInfo(id=0, last_revision=DELETED_STREAM_REVISION, first_readable=0, is_soft_deleted=False)


class Reader:
    """Reads committed events. For the event loop's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # $all

    def all_forwards(
        self, position: int, limit: int, accepts: Accepts | None = None, page_events: int = PAGE_EVENTS
    ) -> AllPage:
        """A page of `$all` from `position` on, inclusive: at most `limit` accepted ones of `page_events`."""
        rows = self._connection.execute(
            f"{_EVENT} WHERE e.position >= ? ORDER BY e.position LIMIT ?", (position, page_events)
        )
        return _all_page(rows, limit, accepts, page_events)

    def all_backwards(
        self, position: int, limit: int, accepts: Accepts | None = None, page_events: int = PAGE_EVENTS
    ) -> AllPage:
        """A page of `$all` going back from `position`, exclusive."""
        rows = self._connection.execute(
            f"{_EVENT} WHERE e.position < ? ORDER BY e.position DESC LIMIT ?", (position, page_events)
        )
        return _all_page(rows, limit, accepts, page_events)

    def last_position(self) -> int:
        """The position of the last event in the log, 0 if it is empty."""
        return int(self._connection.execute("SELECT coalesce(max(position), 0) FROM event").fetchone()[0])

    # Streams

    def stream(self, name: str) -> StreamInfo:
        if is_metadata_stream(name):
            if self._last_revision(self._stream_id(name[2:])) == DELETED_STREAM_REVISION:
                return _TOMBSTONED
            stream_metadata = metadata.OF_METADATA_STREAM
        else:
            stream_metadata = self._metadata_of(name)
        stream_id = self._stream_id(name)
        last_revision = self._last_revision(stream_id)
        if stream_id is None or last_revision < 0:
            return _MISSING
        if last_revision == DELETED_STREAM_REVISION:
            return _TOMBSTONED
        first = stream_metadata.first_readable(last_revision)
        if stream_metadata.max_age_seconds is not None:
            oldest = time.time_ns() // 100 - stream_metadata.max_age_seconds * 10_000_000
            first = max(first, self._first_since(stream_id, last_revision, oldest))
        return StreamInfo(stream_id, last_revision, first, stream_metadata.is_soft_deleted)

    def stream_forwards(self, stream: StreamInfo, revision: int, limit: int) -> list[LoggedEvent]:
        """A page of at most `limit` readable events from `revision` on, inclusive; empty beyond the end."""
        rows = self._connection.execute(
            f"{_EVENT} WHERE e.stream = ? AND e.revision >= ? ORDER BY e.revision LIMIT ?",
            (stream.id, max(revision, stream.first_readable), min(limit, PAGE_EVENTS)),
        )
        return _bounded(rows)

    def stream_backwards(self, stream: StreamInfo, revision: int, limit: int) -> list[LoggedEvent]:
        """A page of at most `limit` readable events going back from `revision`, inclusive."""
        rows = self._connection.execute(
            f"{_EVENT} WHERE e.stream = ? AND e.revision BETWEEN ? AND ? ORDER BY e.revision DESC LIMIT ?",
            (stream.id, stream.first_readable, revision, min(limit, PAGE_EVENTS)),
        )
        return _bounded(rows)

    def event(self, stream_name: str, revision: int) -> LoggedEvent | None:
        """The event at a revision of a stream, if it can be read."""
        stream = self.stream(stream_name)
        if stream.is_tombstoned or not stream.is_found or revision < stream.first_readable:
            return None
        events = self.stream_backwards(stream, revision, 1)
        return events[0] if events and events[0].revision == revision else None

    def last_event(self, stream_name: str) -> LoggedEvent | None:
        """The last event that a stream's log holds, whether or not it can still be read."""
        row = self._connection.execute(
            f"{_EVENT} WHERE e.stream = ? ORDER BY e.revision DESC LIMIT 1", (self._stream_id(stream_name),)
        ).fetchone()
        return LoggedEvent._make(row) if row else None

    def _stream_id(self, name: str) -> int | None:
        row = self._connection.execute("SELECT id FROM stream WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else None

    def _last_revision(self, stream_id: int | None) -> int:
        if stream_id is None:
            return -1
        row = self._connection.execute("SELECT max(revision) FROM event WHERE stream = ?", (stream_id,)).fetchone()
        return -1 if row[0] is None else int(row[0])

    def _metadata_of(self, name: str) -> StreamMetadata:
        stream_id = self._stream_id(metadata_stream_of(name))
        if stream_id is None:
            return metadata.EMPTY
        row = self._connection.execute(
            "SELECT record FROM event WHERE stream = ? ORDER BY revision DESC LIMIT 1", (stream_id,)
        ).fetchone()
        last = RecordedEvent.FromString(row[0])
        if last.metadata["content-type"] != JSON_CONTENT_TYPE:
            return metadata.EMPTY
        return metadata.parse(last.data)

    def _first_since(self, stream_id: int, last_revision: int, oldest: int) -> int:
        """
        The lowest revision created at `oldest` or later, by bisection: creation times never decrease, and a
        scavenge leaves no holes after the first revision that it keeps.
        """
        row = self._connection.execute("SELECT min(revision) FROM event WHERE stream = ?", (stream_id,)).fetchone()
        low, high = int(row[0]), last_revision + 1
        while low < high:
            middle = (low + high) // 2
            row = self._connection.execute(
                "SELECT created FROM event WHERE stream = ? AND revision = ?", (stream_id, middle)
            ).fetchone()
            if row[0] >= oldest:
                high = middle
            else:
                low = middle + 1
        return low


def _all_page(rows: Iterable[tuple[object, ...]], limit: int, accepts: Accepts | None, page_events: int) -> AllPage:
    events: list[LoggedEvent] = []
    considered = size = 0
    position = None
    clock = time.monotonic
    until = clock() + PAGE_SECONDS
    for row in rows:
        event = LoggedEvent._make(row)
        position = event.position
        considered += 1
        size += len(event.record)
        if event.in_all and (accepts is None or accepts(event)):
            events.append(event)
            if len(events) == limit:
                break
        if size >= PAGE_BYTES or (accepts is not None and clock() >= until):
            break
    else:
        return AllPage(events, position, considered, is_end=considered < page_events)
    return AllPage(events, position, considered, is_end=False)


def _bounded(rows: Iterable[tuple[object, ...]]) -> list[LoggedEvent]:
    events: list[LoggedEvent] = []
    size = 0
    for row in rows:
        events.append(LoggedEvent._make(row))
        size += len(events[-1].record)
        if size >= PAGE_BYTES:
            break
    return events
