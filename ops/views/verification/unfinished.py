"""Documents that the fold has begun and not yet compared. Those that were not touched for long wait in a file."""

import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

_MOVED_AT_ONCE = 8
_SCHEMA = "CREATE TABLE documents (key BLOB PRIMARY KEY, position INTEGER, document BLOB) WITHOUT ROWID"


class NoRoom(Exception):
    """The documents that do not fit in memory do not fit on the disk either; the message says why."""


class FoldedDocument(Struct, frozen=True, gc=False):
    """A document as the fold of the log gives it (None: there is none), and the position of its last event."""

    document: Any = None
    position: int = -1


class UnfinishedDocuments:
    """At most `capacity` documents of the type `document` in memory, the others in a temporary file.

    SQLite makes the file, where TMPDIR says, when it is first needed, and unlinks it as soon as it is open: the system
    removes it with the process, however that ends. Every method raises NoRoom.
    """

    def __init__(self, document: type[Struct], capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._memory: dict[str, FoldedDocument] = {}
        self._file: sqlite3.Connection | None = None
        self._in_file = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(document | None).decode

    def get(self, key: str) -> FoldedDocument | None:
        """The document; None when it has not been begun."""
        found = self._memory.get(key)
        if found is None and self._in_file:
            found = self._read(key)
        return found

    def put(self, key: str, folded: FoldedDocument) -> None:
        """Keeps a document that is new, or was got before."""
        self._memory.pop(key, None)
        self._memory[key] = folded
        if len(self._memory) > self._capacity:
            self._move()

    def remove(self, key: str) -> None:
        """Forgets a document that is new, or was got before."""
        self._memory.pop(key, None)

    def items(self) -> Iterator[tuple[str, FoldedDocument]]:
        """Every document with its key."""
        yield from self._memory.items()
        if self._file is not None:
            for key, position, document in self._file.execute("SELECT key, position, document FROM documents"):
                yield _key(key), FoldedDocument(self._decode(document), position)

    def close(self) -> None:
        """Removes the file."""
        if self._file is not None:
            self._file.close()

    def _move(self) -> None:
        """Moves the documents that were not touched for the longest time into the file."""
        oldest = list(islice(self._memory, max(1, self._capacity // _MOVED_AT_ONCE)))
        rows = []
        for key in oldest:
            folded = self._memory[key]
            try:
                rows.append((_bytes(key), folded.position, self._encode(folded.document)))
            except (OverflowError, TypeError, UnicodeEncodeError):
                continue  # what no store can hold stays in memory: it is a fault, and rare
            del self._memory[key]
        try:
            if self._file is None:
                self._file = sqlite3.connect("", isolation_level=None)
                self._file.execute("PRAGMA journal_mode = OFF")
                self._file.execute(_SCHEMA)
            self._file.execute("BEGIN")
            self._file.executemany("INSERT INTO documents VALUES (?, ?, ?)", rows)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            raise NoRoom(str(error)) from error
        self._in_file += len(rows)

    def _read(self, key: str) -> FoldedDocument | None:
        """Takes a document out of the file: each is in one place only."""
        assert self._file is not None
        try:
            row = self._file.execute(
                "SELECT position, document FROM documents WHERE key = ?", (_bytes(key),)
            ).fetchone()
            if row is None:
                return None
            self._file.execute("DELETE FROM documents WHERE key = ?", (_bytes(key),))
        except sqlite3.Error as error:
            raise NoRoom(str(error)) from error
        self._in_file -= 1
        folded = FoldedDocument(self._decode(row[1]), row[0])
        self.put(key, folded)
        return folded


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _key(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")
