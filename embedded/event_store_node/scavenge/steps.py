"""
The steps of a scavenge: short transactions on the writer's connection. What is removed is decided in the same
transaction, so no append or change of metadata can come in between, and a kill at any moment loses nothing else.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.scavenge.retention import Candidate, first_kept

_STREAMS_PER_STEP = 50
_EVENTS_PER_STEP = 256
_BYTES_PER_STEP = 2 * 2**20
_PAGES_PER_STEP = 128

_AUTO_VACUUM_INCREMENTAL = 2


class Removed(NamedTuple):
    """What a step removed, the streams that are gone with it, and those that it did not get to."""

    events: int
    size: int
    emptied: Sequence[str]
    remaining: Sequence[Candidate]


def remove(connection: sqlite3.Connection, streams: Sequence[Candidate]) -> Removed:
    """Remove from the first of these streams what need not be kept: as much as is done in a few milliseconds."""
    reader = Reader(connection)
    connection.execute("BEGIN IMMEDIATE")
    positions: list[int] = []
    size = 0
    done = 0
    for stream in streams[:_STREAMS_PER_STEP]:
        is_complete, size = _pick(connection, stream, first_kept(reader, stream.name), positions, size)
        if not is_complete:
            break
        done += 1
    connection.executemany("DELETE FROM event WHERE position = ?", ((position,) for position in positions))
    emptied = [stream for stream in streams[:done] if reader.last_event(stream.name) is None]
    connection.executemany("DELETE FROM stream WHERE id = ?", ((stream.id,) for stream in emptied))
    connection.execute("COMMIT")
    return Removed(len(positions), size, [stream.name for stream in emptied], streams[done:])


def _pick(
    connection: sqlite3.Connection, stream: Candidate, first: int, positions: list[int], size: int
) -> tuple[bool, int]:
    """
    Add a stream's events below a revision to `positions`, oldest first, as far as the step has room. Returns
    whether these were all, and the size of everything picked so far.
    """
    rows = connection.execute(
        "SELECT position, length(record) FROM event WHERE stream = ? AND revision < ? ORDER BY revision",
        (stream.id, first),
    )
    for position, length in rows:
        if len(positions) >= _EVENTS_PER_STEP or size >= _BYTES_PER_STEP:
            return False, size
        positions.append(position)
        size += length
    return True, size


def give_back(connection: sqlite3.Connection) -> bool:
    """
    Return some free pages to the file system. Returns whether there are more. A file made without that ability
    keeps its free pages for new events.
    """
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _AUTO_VACUUM_INCREMENTAL:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES_PER_STEP})").fetchall()
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0]) > 0


def shorten_file(connection: sqlite3.Connection) -> None:
    """Let the file end where the database does, as far as no reader is in the way."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
