"""Which events of a stream a scavenge keeps, and where there may be some that it does not."""

import sqlite3
from typing import NamedTuple

from embedded.event_store_node.log.events import DELETED_STREAM_REVISION, is_metadata_stream
from embedded.event_store_node.log.reader import Reader

_STREAMS_PER_PAGE = 2000

# Streams whose metadata or tombstone can hide events, and metadata streams, if they hold two events or more; and the
# metadata streams of tombstoned streams.
_CANDIDATES = f"""
SELECT s.id, s.name FROM stream s
WHERE s.id > ? AND s.id <= ?
AND (
    substr(s.name, 1, 2) = '$$'
    OR EXISTS (SELECT 1 FROM stream m WHERE m.name = '$$' || s.name)
    OR EXISTS (SELECT 1 FROM event e WHERE e.stream = s.id AND e.revision = {DELETED_STREAM_REVISION})
)
AND (
    (SELECT min(revision) FROM event WHERE stream = s.id) < (SELECT max(revision) FROM event WHERE stream = s.id)
    OR EXISTS (
        SELECT 1 FROM stream o JOIN event e ON e.stream = o.id
        WHERE substr(s.name, 1, 2) = '$$' AND o.name = substr(s.name, 3) AND e.revision = {DELETED_STREAM_REVISION}
    )
)
ORDER BY s.id
"""


class Candidate(NamedTuple):
    """A stream that may hold events to remove."""

    id: int
    name: str


class CandidatePage(NamedTuple):
    """The candidates up to a stream id, and whether these are the last."""

    candidates: list[Candidate]
    last_id: int
    is_end: bool


def first_kept(reader: Reader, stream: str) -> int:
    """
    The lowest revision of a stream that a scavenge keeps. The last event always stays, so that revisions go on
    from it; of a tombstoned stream only the tombstone does, and nothing of its metadata stream.
    """
    info = reader.stream(stream)
    if is_metadata_stream(stream) and not info.is_tombstoned:
        last = reader.last_event(stream)
        return last.revision if last else 0
    if info.is_tombstoned:
        return DELETED_STREAM_REVISION
    return max(0, min(info.first_readable, info.last_revision))


def candidates(connection: sqlite3.Connection, after_id: int) -> CandidatePage:
    """The candidates among the next streams after an id; whether there is something to remove is for others."""
    highest = connection.execute("SELECT coalesce(max(id), 0) FROM stream").fetchone()[0]
    last_id = min(after_id + _STREAMS_PER_PAGE, highest)
    rows = connection.execute(_CANDIDATES, (after_id, last_id)).fetchall()
    return CandidatePage([Candidate(*row) for row in rows], last_id, last_id >= highest)
