"""
The writer's end of the log. A batch of writes is one SQLite transaction: each write is decided on, then the
rows of all are inserted.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from uuid import uuid4

from embedded.event_store_node.log import metadata, records
from embedded.event_store_node.log.events import (
    ANY,
    DELETED_STREAM_REVISION,
    JSON_CONTENT_TYPE,
    METADATA_TYPE,
    STREAM_EXISTS,
    TOMBSTONE_TYPE,
    LoggedEvent,
    ProposedEvent,
    is_metadata_stream,
    metadata_stream_of,
)
from embedded.event_store_node.log.stream_heads import StreamHead, StreamHeads
from embedded.event_store_node.log.system_streams import is_hidden_from_all
from embedded.event_store_node.log.version_check import AlreadyWritten, Conflict, Deleted, StreamState, check
from embedded.event_store_node.log.writes import (
    Appended,
    DeadlinePassed,
    Kind,
    Outcome,
    StreamDeleted,
    WriteRequest,
    WrongVersion,
)

T = TypeVar("T")

FIRST_POSITION = 1
_ROWS_PER_INSERT = 128


class Log:
    """Decides on batches of writes and makes them durable. For one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads = StreamHeads(connection)
        self._is_stale = False
        self._read_end()
        self._reset_batch()

    def write(self, batch: Sequence[WriteRequest]) -> tuple[list[Outcome], list[LoggedEvent]]:
        """
        Commit what the version checks allow of the batch, durably, in the batch's order.

        Returns: an outcome for each write, and the new events in position order.
        Raises: sqlite3.Error: nothing of the batch was written.
        """
        self._reset_batch()
        if self._is_stale:
            self._read_end()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._heads.load(write.stream for write in batch)
            self._look_up_ids(batch)
            outcomes = [self._apply(write) for write in batch]
            self._insert()
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._heads.trim()
        return outcomes, self._logged

    def perform(self, job: Callable[[sqlite3.Connection], T], gone: Callable[[T], Iterable[str]]) -> T:
        """Run a job between two batches; see `Writer.perform`."""
        try:
            result = job(self._connection)
            self._heads.forget(gone(result))
            return result
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _reset_batch(self) -> None:
        self._logged: list[LoggedEvent] = []
        self._stream_rows: list[tuple[object, ...]] = []
        self._event_rows: list[tuple[object, ...]] = []
        self._by_id: dict[bytes, tuple[str, int] | None] = {}

    def _roll_back(self) -> None:
        self._heads.clear()
        self._is_stale = True
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _read_end(self) -> None:
        last = self._connection.execute(
            "SELECT position, length(record), created FROM event ORDER BY position DESC LIMIT 1"
        ).fetchone()
        self._next_position = last[0] + last[1] if last else FIRST_POSITION
        self._last_created = last[2] if last else 0
        self._next_stream_id = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM stream").fetchone()[0]
        self._is_stale = False

    # Deciding

    def _apply(self, write: WriteRequest) -> Outcome:
        if write.deadline is not None and write.deadline <= time.monotonic():
            return DeadlinePassed()
        head = self._heads[write.stream]
        # A delete has no ids that a repetition could be known by.
        ids = [event.id for event in write.events] if write.kind is Kind.APPEND else [uuid4().bytes]
        decision = check(
            StreamState(head.last_revision, head.metadata_revision >= 0, head.metadata.is_soft_deleted),
            write.expected,
            ids,
            lambda id_: self._revision_of(head, id_),
            lambda first, count: self._ids_from(head, first, count),
        )
        match decision:
            case Conflict():
                return WrongVersion(head.last_revision)
            case Deleted():
                return StreamDeleted()
            case AlreadyWritten(revision):
                return Appended(revision, self._position_at(head, revision))
        match write.kind:
            case Kind.APPEND:
                return self._append(head, write.events)
            case Kind.DELETE:
                return self._soft_delete(head)
            case Kind.TOMBSTONE:
                return self._tombstone(head)

    def _append(self, head: StreamHead, events: Sequence[ProposedEvent]) -> Outcome:
        if not events:
            return Appended(head.last_revision, head.last_position)
        recreates = head.metadata.is_soft_deleted
        first_revision = head.last_revision + 1
        for event in events:
            self._log(head, event, head.last_revision + 1)
        written = Appended(head.last_revision, head.last_position)
        if recreates:
            self._recreate(head, first_revision)
        if is_metadata_stream(head.name):
            self._metadata_written(self._heads[head.name[2:]], head.last_revision, events[-1])
        return written

    def _metadata_written(self, head: StreamHead, revision: int, event: ProposedEvent) -> None:
        was_soft_deleted = head.metadata.is_soft_deleted
        head.set_metadata(revision, event.data, event.content_type)
        if was_soft_deleted:
            self._recreate(head, head.last_revision + 1)

    def _recreate(self, head: StreamHead, first_revision: int) -> None:
        document = metadata.recreated(head.metadata_json, first_revision)
        if document is not None:
            self._write_metadata(head, document)

    def _soft_delete(self, head: StreamHead) -> Outcome:
        if head.last_revision < 0 and head.metadata_revision < 0:
            return WrongVersion(-1)
        return Appended(head.last_revision, self._write_metadata(head, metadata.SOFT_DELETE))

    def _tombstone(self, head: StreamHead) -> Outcome:
        event = ProposedEvent(uuid4().bytes, TOMBSTONE_TYPE, "application/octet-stream", b"", b"")
        self._log(head, event, DELETED_STREAM_REVISION)
        return Appended(head.last_revision, head.last_position)

    def _write_metadata(self, head: StreamHead, document: bytes) -> int:
        event = ProposedEvent(uuid4().bytes, METADATA_TYPE, JSON_CONTENT_TYPE, b"", document)
        meta_head = self._heads[metadata_stream_of(head.name)]
        self._log(meta_head, event, meta_head.last_revision + 1)
        head.set_metadata(meta_head.last_revision, document, JSON_CONTENT_TYPE)
        return meta_head.last_position

    def _log(self, head: StreamHead, event: ProposedEvent, revision: int) -> None:
        if head.id == 0:
            head.id = self._next_stream_id
            self._next_stream_id += 1
            self._stream_rows.append((head.id, head.name))
        position = self._next_position
        created = self._last_created = max(time.time_ns() // 100, self._last_created)
        record = records.record(event, head.name.encode(), revision, position, created)
        in_all = 0 if is_hidden_from_all(head.name) else 1
        self._next_position += len(record)
        head.last_revision, head.last_position = revision, position
        self._by_id[event.id] = (head.name, revision)
        self._event_rows.append((position, head.id, revision, event.id, event.type, created, in_all, record))
        self._logged.append(LoggedEvent(position, head.name, revision, event.type, in_all, record))

    # Looking up what is already written

    def _look_up_ids(self, batch: Sequence[WriteRequest]) -> None:
        """Find the first id of each write that is checked by id, all in one query."""
        ids = [write.events[0].id for write in batch if write.expected in (ANY, STREAM_EXISTS) and write.events]
        self._find_ids(ids)

    def _find_ids(self, ids: list[bytes]) -> None:
        for start in range(0, len(ids), _ROWS_PER_INSERT):
            some = ids[start : start + _ROWS_PER_INSERT]
            self._by_id.update(dict.fromkeys(some))
            rows = self._connection.execute(
                "SELECT e.id, s.name, e.revision FROM event e JOIN stream s ON s.id = e.stream"
                f" WHERE e.id IN ({', '.join('?' * len(some))}) ORDER BY e.position",
                some,
            )
            self._by_id.update({id_: (name, revision) for id_, name, revision in rows})

    def _revision_of(self, head: StreamHead, id_: bytes) -> int | None:
        if id_ not in self._by_id:
            self._find_ids([id_])
        last_seen = self._by_id[id_]
        return last_seen[1] if last_seen and last_seen[0] == head.name else None

    def _ids_from(self, head: StreamHead, first: int, count: int) -> list[bytes]:
        self._insert()
        rows = self._connection.execute(
            "SELECT id FROM event WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision",
            (head.id, first, first + count - 1),
        )
        return [row[0] for row in rows]

    def _position_at(self, head: StreamHead, revision: int) -> int:
        self._insert()
        row = self._connection.execute(
            "SELECT position FROM event WHERE stream = ? AND revision = ?", (head.id, revision)
        ).fetchone()
        return int(row[0])

    # Inserting

    def _insert(self) -> None:
        """Insert the rows decided on, many to a statement: each step gives up the interpreter lock."""
        self._insert_rows("stream", 2, self._stream_rows)
        self._insert_rows("event", 8, self._event_rows)
        self._stream_rows, self._event_rows = [], []

    def _insert_rows(self, table: str, width: int, rows: list[tuple[object, ...]]) -> None:
        one = f"({', '.join('?' * width)})"
        start = 0
        while start < len(rows):
            # Powers of two, so that few different statements are prepared.
            count = min(_ROWS_PER_INSERT, 1 << (len(rows) - start).bit_length() - 1)
            values = [value for row in rows[start : start + count] for value in row]
            self._connection.execute(f"INSERT INTO {table} VALUES {', '.join([one] * count)}", values)
            start += count
