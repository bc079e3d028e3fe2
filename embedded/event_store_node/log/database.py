"""The SQLite file: its schema, and opening it so that a foreign or damaged one is refused untouched."""

import os
import shutil
import sqlite3
from pathlib import Path

from embedded.event_store_node.log.directory_lock import DataDirectoryError, lock_directory, make_temporary_directory
from embedded.event_store_node.log.first_events import write_first_events
from embedded.event_store_node.log.unfinished import clear_unfinished, unfinished_file

APPLICATION_ID = 0x45764E6F  # "EvNo"
SCHEMA_VERSION = 1
FILE_NAME = "events.db"

# Whole-file checks are for files that can be read in a moment; of larger ones both ends are, and the rest after start.
_QUICK_CHECK_LIMIT = 32 * 2**20
_SQLITE_MAGIC = b"SQLite format 3\0"

# The log is the only truth: a stream's last revision, its metadata and its tombstone are all found in
# `event`, so nothing can disagree with it.
_SCHEMA = f"""
CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    created INTEGER NOT NULL,  -- ticks of 100 ns since the Unix epoch, never decreasing
    in_all INTEGER NOT NULL,   -- 0: `$all` leaves it out
    record BLOB NOT NULL       -- the RecordedEvent message as it goes on the wire
);
CREATE UNIQUE INDEX event_by_stream ON event (stream, revision);
CREATE INDEX event_by_id ON event (id);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


class Database:
    """
    The event store's file in `directory`, held by this process alone until `close`. Without a directory it
    lives in a temporary one, is not synced to disk and is removed at the end. `is_checked` tells whether all of the
    file was found sound, or only both ends of the log.
    """

    def __init__(self, directory: Path | None) -> None:
        self.temporary = directory is None
        self.directory = directory or make_temporary_directory()
        self._lock = lock_directory(self.directory, self.temporary)
        self._path = self.directory / FILE_NAME
        try:
            self._open()
        except BaseException:
            self._release()
            raise

    def connect(self, cache_mib: int) -> sqlite3.Connection:
        """A connection in autocommit mode that may be used from any one thread at a time."""
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=10
        )
        connection.execute(f"PRAGMA synchronous = {'OFF' if self.temporary else 'FULL'}")
        connection.execute("PRAGMA fullfsync = ON")  # on macOS a plain fsync leaves data in the drive's cache
        connection.execute(f"PRAGMA cache_size = -{cache_mib * 1024}")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def close(self) -> None:
        self._release()
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _open(self) -> None:
        clear_unfinished(self.directory)  # a restore may have been killed here
        try:
            if not self._path.exists():
                _create(self._path)
            refuse_foreign(self._path)
            connection = self.connect(cache_mib=2)
            try:
                self.is_checked = self._path.stat().st_size <= _QUICK_CHECK_LIMIT
                _refuse_damaged(connection, self._path, whole=self.is_checked)
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise DataDirectoryError(f"{self._path} is damaged: {error}; it was left as it is") from error

    def _release(self) -> None:
        os.close(self._lock)


def _create(path: Path) -> None:
    """Make the file under another name first: what bears the right name is always whole."""
    with unfinished_file(path) as unfinished:
        connection = sqlite3.connect(unfinished, isolation_level=None)
        try:
            # So that a scavenge can give space back; this can't be changed later.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            write_first_events(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        unfinished.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def refuse_foreign(path: Path) -> None:
    """
    Judge by the header alone: merely opening another program's database could change it.

    Raises:
        DataDirectoryError: this is no log of ours, or not a whole one.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_SQLITE_MAGIC):
        raise DataDirectoryError(f"{path} is no event store file (not an SQLite database); it was left as it is")
    application_id, version = _number(header, 68), _number(header, 60)
    if application_id != APPLICATION_ID:
        raise DataDirectoryError(
            f"{path} is no event store file (application id {application_id}); it was left as it is"
        )
    if version != SCHEMA_VERSION:
        raise DataDirectoryError(
            f"{path} has schema version {version}, this node reads {SCHEMA_VERSION}; it was left as it is"
        )
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size > 0:
        return  # the file itself may lag behind its log of changes
    page_size = int.from_bytes(header[16:18], "big")
    expected_size = (65536 if page_size == 1 else page_size) * _number(header, 28)
    if path.stat().st_size < expected_size:
        raise DataDirectoryError(
            f"{path} is damaged: {path.stat().st_size} of {expected_size} bytes are there; it was left as it is"
        )


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _refuse_damaged(connection: sqlite3.Connection, path: Path, whole: bool) -> None:
    if whole:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DataDirectoryError(f"{path} is damaged: {found}; it was left as it is")
    for order in ("ASC", "DESC"):
        connection.execute(f"SELECT * FROM event ORDER BY position {order} LIMIT 16").fetchall()
        connection.execute(f"SELECT * FROM stream ORDER BY id {order} LIMIT 16").fetchall()
