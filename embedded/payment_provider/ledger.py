"""The provider's memory: charges, refunds, idempotency keys, and the webhooks that are still to be delivered.

One SQLite file. What is in it survives the kill of the process: an answer is given only after the commit.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from embedded.payment_provider.objects import (
    Charge,
    ChargePage,
    ChargeRequest,
    Event,
    Refund,
    RefundRequest,
    RefundStatus,
    Status,
)

DECLINE = "the card was declined"
REFUND_FAILURE = "the customer's account is closed"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (sequence INTEGER NOT NULL);
INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter);
CREATE TABLE IF NOT EXISTS charges (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, reference TEXT NOT NULL, customer TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL, decline TEXT NOT NULL,
    refunded INTEGER NOT NULL, created REAL NOT NULL, sequence INTEGER NOT NULL UNIQUE,
    settles_at REAL, settles_as TEXT
);
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY, charge TEXT NOT NULL, amount INTEGER NOT NULL, reason TEXT NOT NULL, status TEXT NOT NULL,
    failure TEXT NOT NULL, created REAL NOT NULL, settles_at REAL, settles_as TEXT
);
CREATE INDEX IF NOT EXISTS refunds_of_charge ON refunds (charge);
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


class Ledger:
    """Times are in epoch seconds and given by the caller."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "payments.sqlite", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def once(self, key: str, request: bytes, act: Callable[[], bytes]) -> bytes:
        """What `act` answers, in one transaction with what it does; the first answer again where the key has been used
        for the same request. Raises KeyReused, and what `act` raises: then nothing is kept, and the key is free."""
        with self.transaction():
            found = self._db.execute("SELECT request, answer FROM answers WHERE key = ?", (key,)).fetchone()
            if found is not None:
                if found["request"] != request:
                    raise KeyReused
                return bytes(found["answer"])
            answer = act()
            self._db.execute("INSERT INTO answers VALUES (?, ?, ?)", (key, request, answer))
            return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done in the block, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add_charge(
        self, key: str, asked: ChargeRequest, outcome: tuple[Status, Status], now: float, settles_at: float
    ) -> Charge:
        """A new charge that is `outcome[0]` now, and `outcome[1]` from `settles_at` on."""
        first, last = outcome
        later = (settles_at, last) if first == "pending" else (None, None)
        charge = _new_id("ch")
        decline = DECLINE if first == "declined" else ""
        values = (charge, key, asked.reference, asked.customer, asked.amount, asked.currency, first, decline, 0, now)
        self._db.execute(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, self._next(), *later)
        )
        return self.charge(charge)

    def add_refund(
        self, asked: RefundRequest, outcome: tuple[RefundStatus, RefundStatus], now: float, settles_at: float
    ) -> Refund:
        """A new refund. Raises Refused when the charge is not there, did not succeed, or has less left."""
        charge = self.find_charge("id", asked.charge)
        if charge is None:
            raise Refused(f"there is no charge {asked.charge}")
        if charge.status != "succeeded":
            raise Refused(f"charge {charge.id} is {charge.status}, so there is nothing to give back")
        left = charge.amount - sum(one.amount for one in charge.refunds if one.status != "failed")
        amount = asked.amount or left
        if not 1 <= amount <= left:
            raise Refused(f"{left} of charge {charge.id} can be given back, not {amount}")
        first, last = outcome
        later = (settles_at, last) if first == "pending" else (None, None)
        refund = _new_id("re")
        failure = REFUND_FAILURE if first == "failed" else ""
        values = (refund, charge.id, amount, asked.reason, first, failure, now)
        self._db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, *later))
        self._touch(charge.id)
        return self._refund(refund)

    def settle(self, now: float) -> int:
        """Lets what is due succeed or fail, each with a webhook in the same transaction; how many there were."""
        with self.transaction():
            charges = self._due("charges", now)
            for one in charges:
                self.settle_charge(one["id"], now)
            refunds = self._due("refunds", now)
            for one in refunds:
                self._settle_refund(one, now)
        return len(charges) + len(refunds)

    def settle_charge(self, charge: str, now: float) -> Event:
        """Lets a pending charge end as it will; answers what the webhook tells. For a transaction that is open."""
        (last,) = self._db.execute("SELECT settles_as FROM charges WHERE id = ?", (charge,)).fetchone()
        decline = DECLINE if last == "declined" else ""
        self._db.execute(
            "UPDATE charges SET status = ?, decline = ?, settles_at = NULL WHERE id = ?", (last, decline, charge)
        )
        self._touch(charge)
        return self._tell(f"charge.{last}", charge, None, now)

    def charge(self, charge: str) -> Charge:
        """One that is there."""
        found = self.find_charge("id", charge)
        assert found is not None, charge
        return found

    def find_charge(self, column: str, value: str) -> Charge | None:
        """By its `id` or its `key`."""
        row = self._db.execute(f"SELECT * FROM charges WHERE {column} = ?", (value,)).fetchone()
        return None if row is None else self._with_refunds(row)

    def find_refund(self, refund: str) -> Refund | None:
        row = self._db.execute("SELECT * FROM refunds WHERE id = ?", (refund,)).fetchone()
        return None if row is None else _refund(row)

    def page(self, after: int, limit: int, reference: str | None = None) -> ChargePage:
        """The charges that have changed since the cursor, each as it is now."""
        which, values = ("", ()) if reference is None else (" AND reference = ?", (reference,))
        rows = self._db.execute(
            f"SELECT * FROM charges WHERE sequence > ?{which} ORDER BY sequence LIMIT ?", (after, *values, limit + 1)
        ).fetchall()
        charges = [self._with_refunds(row) for row in rows[:limit]]
        return ChargePage(charges, charges[-1].sequence if charges else after, len(rows) > limit)

    def due_webhooks(self, now: float, limit: int) -> list[PendingWebhook]:
        """Those that may be sent now, the oldest first."""
        rows = self._db.execute(
            "SELECT id, body, attempts FROM webhooks WHERE done = 0 AND due <= ? ORDER BY due LIMIT ?", (now, limit)
        )
        return [PendingWebhook(row["id"], bytes(row["body"]), row["attempts"]) for row in rows]

    def put_off(self, webhook: str, due: float) -> None:
        """One attempt has failed; the next is made at `due`."""
        self._db.execute("UPDATE webhooks SET attempts = attempts + 1, due = ? WHERE id = ?", (due, webhook))

    def delivered(self, webhook: str) -> None:
        self._db.execute("UPDATE webhooks SET done = 1 WHERE id = ?", (webhook,))

    def counts(self) -> dict[str, int]:
        """How many there are of each, and what is yet to come."""
        one = self._db.execute(
            "SELECT (SELECT COUNT(*) FROM charges), (SELECT COUNT(*) FROM refunds),"
            " (SELECT COUNT(*) FROM charges WHERE settles_at IS NOT NULL)"
            " + (SELECT COUNT(*) FROM refunds WHERE settles_at IS NOT NULL),"
            " (SELECT COUNT(*) FROM webhooks WHERE done = 0)"
        ).fetchone()
        return dict(zip(("charges", "refunds", "settling", "webhooks_undelivered"), one, strict=True))

    def _settle_refund(self, row: sqlite3.Row, now: float) -> None:
        last = row["settles_as"]
        failure = REFUND_FAILURE if last == "failed" else ""
        self._db.execute(
            "UPDATE refunds SET status = ?, failure = ?, settles_at = NULL WHERE id = ?", (last, failure, row["id"])
        )
        self._touch(row["charge"])
        self._tell(f"refund.{last}", row["charge"], row["id"], now)

    def _tell(self, kind: str, charge: str, refund: str | None, now: float) -> Event:
        told = None if refund is None else self._refund(refund)
        event = Event(_new_id("evt"), kind, now, self.charge(charge), told)
        self._db.execute("INSERT INTO webhooks VALUES (?, ?, ?, 0, 0)", (event.id, msgspec.json.encode(event), now))
        return event

    def _due(self, table: str, now: float) -> list[sqlite3.Row]:
        return self._db.execute(f"SELECT * FROM {table} WHERE settles_at <= ?", (now,)).fetchall()

    def _touch(self, charge: str) -> None:
        given_back = "SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE charge = :id AND status = 'succeeded'"
        self._db.execute(
            f"UPDATE charges SET sequence = :next, refunded = ({given_back}) WHERE id = :id",
            {"next": self._next(), "id": charge},
        )

    def _next(self) -> int:
        (sequence,) = self._db.execute("UPDATE counter SET sequence = sequence + 1 RETURNING sequence").fetchone()
        return int(sequence)

    def _refund(self, refund: str) -> Refund:
        found = self.find_refund(refund)
        assert found is not None, refund
        return found

    def _with_refunds(self, row: sqlite3.Row) -> Charge:
        refunds = self._db.execute("SELECT * FROM refunds WHERE charge = ? ORDER BY created, id", (row["id"],))
        fields: dict[str, Any] = {name: row[name] for name in Charge.__struct_fields__ if name != "refunds"}
        return Charge(**fields, refunds=[_refund(one) for one in refunds])


def _refund(row: sqlite3.Row) -> Refund:
    return Refund(**{name: row[name] for name in Refund.__struct_fields__})


def _new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:24]}"
