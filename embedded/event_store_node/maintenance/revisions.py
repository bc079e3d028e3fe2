"""Which revisions a log may lack: those that a scavenge could have removed, and no others."""

import sqlite3
from collections.abc import Iterator

from google.protobuf.message import DecodeError

from embedded.event_store_node.log import metadata
from embedded.event_store_node.log.events import (
    DELETED_STREAM_REVISION,
    JSON_CONTENT_TYPE,
    is_metadata_stream,
    metadata_stream_of,
)
from embedded.event_store_node.log.records import RecordedEvent

_SCAVENGE_STREAMS = "$scavenges"

# Each event that does not follow the one before it in its stream; `previous` is -1 for the first.
_GAPS = """
SELECT s.name, g.previous, g.revision FROM (
    SELECT stream, revision, lag(revision, 1, -1) OVER (PARTITION BY stream ORDER BY revision) AS previous FROM event
) g JOIN stream s ON s.id = g.stream
WHERE g.revision != g.previous + 1 AND g.revision != ?
"""


def revision_problems(log: sqlite3.Connection) -> Iterator[str]:
    """The revisions that are missing and should not be; a tombstone's own revision is always far ahead."""
    for stream, previous, revision in log.execute(_GAPS, (DELETED_STREAM_REVISION,)):
        if not _may_be_missing(log, stream, previous, revision):
            first, last = previous + 1, revision - 1
            missing = f"revision {first} is" if first == last else f"revisions {first} to {last} are"
            yield f"stream '{stream}': {missing} missing"


def _may_be_missing(log: sqlite3.Connection, stream: str, previous: int, revision: int) -> bool:
    last_revision = log.execute(
        "SELECT max(e.revision) FROM event e JOIN stream s ON s.id = e.stream WHERE s.name = ?", (stream,)
    ).fetchone()[0]
    if last_revision == DELETED_STREAM_REVISION or is_metadata_stream(stream):
        return True
    stream_metadata = _metadata_of(log, stream)
    if revision <= stream_metadata.first_readable(last_revision):
        return True
    # Events leave from the front, by a limit that may have been taken back since.
    return previous < 0 and (stream_metadata.max_age_seconds is not None or _was_scavenged(log))


def _metadata_of(log: sqlite3.Connection, stream: str) -> metadata.StreamMetadata:
    row = log.execute(
        "SELECT e.record FROM event e JOIN stream s ON s.id = e.stream WHERE s.name = ?"
        " ORDER BY e.revision DESC LIMIT 1",
        (metadata_stream_of(stream),),
    ).fetchone()
    if row is None:
        return metadata.EMPTY
    try:
        last = RecordedEvent.FromString(row[0])
    except DecodeError:  # told where the events are looked at
        return metadata.EMPTY
    return metadata.parse(last.data) if last.metadata["content-type"] == JSON_CONTENT_TYPE else metadata.EMPTY


def _was_scavenged(log: sqlite3.Connection) -> bool:
    return (
        log.execute("SELECT 1 FROM stream WHERE name GLOB ? LIMIT 1", (f"{_SCAVENGE_STREAMS}*",)).fetchone() is not None
    )
