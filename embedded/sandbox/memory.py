"""A provider's memory: idempotency keys, and the webhooks that are still to be delivered, beside what it keeps itself.

One SQLite file. What is in it survives the kill of the process: an answer is given only after the commit.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (sequence INTEGER NOT NULL);
INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, request BLOB NOT NULL, answer BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY, body BLOB NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL, done INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS webhooks_due ON webhooks (done, due);
"""


class KeyReused(Exception):
    """The idempotency key belongs to another request."""


class Refused(Exception):
    """What was asked for can't be done; the message says why."""


class PendingWebhook(Struct, frozen=True):
    """One that is to be delivered; `attempts` have failed."""

    id: str
    body: bytes
    attempts: int


class Memory:
    """In the file `file`, whose folder is made; `schema` makes the tables of what the provider keeps. Times are in
    epoch seconds and given by the caller."""

    def __init__(self, file: Path, schema: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(_SCHEMA + schema)

    def close(self) -> None:
        self.db.close()

    def once(self, key: str, request: bytes, act: Callable[[], bytes]) -> bytes:
        """What `act` answers, in one transaction with what it does; the first answer again where the key has been used
        for the same request. Raises KeyReused, and what `act` raises: then nothing is kept, and the key is free."""
        with self.transaction():
            found = self.db.execute("SELECT request, answer FROM answers WHERE key = ?", (key,)).fetchone()
            if found is not None:
                if found["request"] != request:
                    raise KeyReused
                return bytes(found["answer"])
            answer = act()
            self.db.execute("INSERT INTO answers VALUES (?, ?, ?)", (key, request, answer))
            return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done in the block, or nothing of it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def next(self) -> int:
        """A number that rises with every change."""
        (sequence,) = self.db.execute("UPDATE counter SET sequence = sequence + 1 RETURNING sequence").fetchone()
        return int(sequence)

    def add_webhook(self, webhook: str, body: bytes, due: float) -> None:
        self.db.execute("INSERT INTO webhooks VALUES (?, ?, ?, 0, 0)", (webhook, body, due))

    def due_webhooks(self, now: float, limit: int) -> list[PendingWebhook]:
        """Those that may be sent now, the oldest first."""
        rows = self.db.execute(
            "SELECT id, body, attempts FROM webhooks WHERE done = 0 AND due <= ? ORDER BY due LIMIT ?", (now, limit)
        )
        return [PendingWebhook(row["id"], bytes(row["body"]), row["attempts"]) for row in rows]

    def put_off(self, webhook: str, due: float) -> None:
        """One attempt has failed; the next is made at `due`."""
        self.db.execute("UPDATE webhooks SET attempts = attempts + 1, due = ? WHERE id = ?", (due, webhook))

    def delivered(self, webhook: str) -> None:
        self.db.execute("UPDATE webhooks SET done = 1 WHERE id = ?", (webhook,))


def new_id(kind: str) -> str:
    """An id that no other thing has, with the kind before it."""
    return f"{kind}_{uuid.uuid4().hex[:24]}"
