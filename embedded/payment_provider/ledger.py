"""The provider's memory: charges and refunds, and the webhooks that tell of them."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

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
from embedded.sandbox.memory import Memory, Refused, new_id

DECLINE = "the card was declined"
REFUND_FAILURE = "the customer's account is closed"

_SCHEMA = """
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
"""


class Ledger(Memory):
    """Times are in epoch seconds and given by the caller."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "payments.sqlite", _SCHEMA)

    def add_charge(
        self, key: str, asked: ChargeRequest, outcome: tuple[Status, Status], now: float, settles_at: float
    ) -> Charge:
        """A new charge that is `outcome[0]` now, and `outcome[1]` from `settles_at` on."""
        first, last = outcome
        later = (settles_at, last) if first == "pending" else (None, None)
        charge = new_id("ch")
        decline = DECLINE if first == "declined" else ""
        values = (charge, key, asked.reference, asked.customer, asked.amount, asked.currency, first, decline, 0, now)
        self.db.execute(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, self.next(), *later)
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
        refund = new_id("re")
        failure = REFUND_FAILURE if first == "failed" else ""
        values = (refund, charge.id, amount, asked.reason, first, failure, now)
        self.db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, *later))
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
        (last,) = self.db.execute("SELECT settles_as FROM charges WHERE id = ?", (charge,)).fetchone()
        decline = DECLINE if last == "declined" else ""
        self.db.execute(
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
        row = self.db.execute(f"SELECT * FROM charges WHERE {column} = ?", (value,)).fetchone()
        return None if row is None else self._with_refunds(row)

    def find_refund(self, refund: str) -> Refund | None:
        row = self.db.execute("SELECT * FROM refunds WHERE id = ?", (refund,)).fetchone()
        return None if row is None else _refund(row)

    def page(self, after: int, limit: int, reference: str | None = None) -> ChargePage:
        """The charges that have changed since the cursor, each as it is now."""
        which, values = ("", ()) if reference is None else (" AND reference = ?", (reference,))
        rows = self.db.execute(
            f"SELECT * FROM charges WHERE sequence > ?{which} ORDER BY sequence LIMIT ?", (after, *values, limit + 1)
        ).fetchall()
        charges = [self._with_refunds(row) for row in rows[:limit]]
        return ChargePage(charges, charges[-1].sequence if charges else after, len(rows) > limit)

    def counts(self) -> dict[str, int]:
        """How many there are of each, and what is yet to come."""
        one = self.db.execute(
            "SELECT (SELECT COUNT(*) FROM charges), (SELECT COUNT(*) FROM refunds),"
            " (SELECT COUNT(*) FROM charges WHERE settles_at IS NOT NULL)"
            " + (SELECT COUNT(*) FROM refunds WHERE settles_at IS NOT NULL),"
            " (SELECT COUNT(*) FROM webhooks WHERE done = 0)"
        ).fetchone()
        return dict(zip(("charges", "refunds", "settling", "webhooks_undelivered"), one, strict=True))

    def _settle_refund(self, row: sqlite3.Row, now: float) -> None:
        last = row["settles_as"]
        failure = REFUND_FAILURE if last == "failed" else ""
        self.db.execute(
            "UPDATE refunds SET status = ?, failure = ?, settles_at = NULL WHERE id = ?", (last, failure, row["id"])
        )
        self._touch(row["charge"])
        self._tell(f"refund.{last}", row["charge"], row["id"], now)

    def _tell(self, kind: str, charge: str, refund: str | None, now: float) -> Event:
        told = None if refund is None else self._refund(refund)
        event = Event(new_id("evt"), kind, now, self.charge(charge), told)
        self.add_webhook(event.id, msgspec.json.encode(event), now)
        return event

    def _due(self, table: str, now: float) -> list[sqlite3.Row]:
        return self.db.execute(f"SELECT * FROM {table} WHERE settles_at <= ?", (now,)).fetchall()

    def _touch(self, charge: str) -> None:
        given_back = "SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE charge = :id AND status = 'succeeded'"
        self.db.execute(
            f"UPDATE charges SET sequence = :next, refunded = ({given_back}) WHERE id = :id",
            {"next": self.next(), "id": charge},
        )

    def _refund(self, refund: str) -> Refund:
        found = self.find_refund(refund)
        assert found is not None, refund
        return found

    def _with_refunds(self, row: sqlite3.Row) -> Charge:
        refunds = self.db.execute("SELECT * FROM refunds WHERE charge = ? ORDER BY created, id", (row["id"],))
        fields: dict[str, Any] = {name: row[name] for name in Charge.__struct_fields__ if name != "refunds"}
        return Charge(**fields, refunds=[_refund(one) for one in refunds])


def _refund(row: sqlite3.Row) -> Refund:
    return Refund(**{name: row[name] for name in Refund.__struct_fields__})
