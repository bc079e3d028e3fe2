"""The key store of one machine: a SQLite file, which any number of processes share.

What is destroyed is overwritten with zeros (`secure_delete`). Every change is on disk before it is acknowledged.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from infrastructure.personal_data.key_store import KeyId, KeyRecord, KeyStoreUnavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    subject TEXT NOT NULL, generation INTEGER NOT NULL, master TEXT NOT NULL, wrapped TEXT NOT NULL,
    PRIMARY KEY (subject, generation)
) WITHOUT ROWID
"""
_SUBJECTS_AT_ONCE = 400
_RECORDS_AT_ONCE = 1000

T = TypeVar("T")


class FileKeyStore:
    """Over the file `path`, which is made (mode 600) when its directory is there. `timeout` is in seconds: how long
    another process's change is waited for."""

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        self._path = path
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    async def load(self, keys: Collection[KeyId]) -> Mapping[KeyId, KeyRecord]:
        """See KeyStore."""
        wanted = set(keys)
        subjects = sorted({key.subject for key in wanted})

        def read(connection: sqlite3.Connection) -> dict[KeyId, KeyRecord]:
            found: dict[KeyId, KeyRecord] = {}
            for start in range(0, len(subjects), _SUBJECTS_AT_ONCE):
                some = subjects[start : start + _SUBJECTS_AT_ONCE]
                places = ",".join("?" * len(some))
                rows = connection.execute(f"SELECT * FROM keys WHERE subject IN ({places})", some)  # noqa: S608
                found.update((record.id, record) for record in map(_record, rows) if record.id in wanted)
            return found

        return await self._run(read)

    async def newest(self, subject: str) -> KeyRecord | None:
        """See KeyStore."""
        return await self._run(lambda connection: _newest(connection, subject))

    async def create(self, record: KeyRecord) -> KeyRecord:
        """See KeyStore."""

        def write(connection: sqlite3.Connection) -> KeyRecord:
            connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", _row(record))
            found = connection.execute(
                "SELECT * FROM keys WHERE subject = ? AND generation = ?", (record.id.subject, record.id.generation)
            ).fetchone()
            return _record(found)

        return await self._run(write, change=True)

    async def destroy(self, subject: str, generation: int) -> None:
        """See KeyStore."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, '', '')", (subject, generation))
            connection.execute(
                "UPDATE keys SET master = '', wrapped = '' WHERE subject = ? AND generation <= ?", (subject, generation)
            )

        await self._run(write, change=True)

    async def replace(self, old: KeyRecord, new: KeyRecord) -> bool:
        """See KeyStore."""

        def write(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "UPDATE keys SET master = ?, wrapped = ? "
                "WHERE subject = ? AND generation = ? AND wrapped = ? AND wrapped != ''",
                (new.master, new.wrapped, old.id.subject, old.id.generation, old.wrapped),
            )
            return done.rowcount == 1

        return await self._run(write, change=True)

    async def foreign(self, masters: Collection[str]) -> int:
        """See KeyStore."""
        known = [*masters, ""]
        places = ",".join("?" * len(known))
        statement = f"SELECT count(*) FROM keys WHERE master NOT IN ({places})"  # noqa: S608

        def read(connection: sqlite3.Connection) -> int:
            return int(connection.execute(statement, known).fetchone()[0])

        return await self._run(read)

    async def scan(self) -> AsyncIterator[KeyRecord]:
        """See KeyStore."""
        last = ("", 0)
        while True:
            rows = await self._run(
                lambda connection, after=last: connection.execute(  # type: ignore[misc]
                    "SELECT * FROM keys WHERE (subject, generation) > (?, ?) ORDER BY subject, generation LIMIT ?",
                    (*after, _RECORDS_AT_ONCE),
                ).fetchall()
            )
            for row in rows:
                yield _record(row)
            if len(rows) < _RECORDS_AT_ONCE:
                return
            last = rows[-1][0], rows[-1][1]

    async def ping(self) -> None:
        """See KeyStore."""
        await self._run(lambda connection: connection.execute("SELECT 1 FROM keys LIMIT 1").fetchone())

    async def close(self) -> None:
        """See KeyStore."""

        def close() -> None:
            with self._lock:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None

        await asyncio.to_thread(close)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, change: bool = False) -> T:
        return await asyncio.to_thread(self._work, work, change)

    def _work(self, work: Callable[[sqlite3.Connection], T], change: bool) -> T:
        try:
            with self._lock:
                connection = self._opened()
                if not change:
                    return work(connection)
                connection.execute("BEGIN IMMEDIATE")
                try:
                    done = work(connection)
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
                return done
        except (sqlite3.Error, OSError) as error:
            raise KeyStoreUnavailable(f"{self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            # Made by us, so that it is nobody else's from the beginning; SQLite's journal takes its mode from it.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(
                self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _newest(connection: sqlite3.Connection, subject: str) -> KeyRecord | None:
    row = connection.execute(
        "SELECT * FROM keys WHERE subject = ? ORDER BY generation DESC LIMIT 1", (subject,)
    ).fetchone()
    return None if row is None else _record(row)


def _row(record: KeyRecord) -> tuple[str, int, str, str]:
    return record.id.subject, record.id.generation, record.master, record.wrapped


def _record(row: tuple[str, int, str, str]) -> KeyRecord:
    subject, generation, master, wrapped = row
    return KeyRecord(KeyId(subject, generation), master, wrapped)
