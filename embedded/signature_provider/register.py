"""The provider's memory: requests with their documents and audit trails, and the webhooks that tell of them."""

import hashlib
import sqlite3
from pathlib import Path

import msgspec

from embedded.sandbox.memory import Memory, Refused, new_id
from embedded.signature_provider.objects import Event, Signature, SignaturePage, SignatureRequest, Status

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, reference TEXT NOT NULL, sha256 TEXT NOT NULL,
    signer_name TEXT NOT NULL, signer_mail TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    expires_at REAL NOT NULL, created REAL NOT NULL, viewed REAL, ended REAL, signed_sha256 TEXT NOT NULL,
    audit_sha256 TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE,
    document BLOB NOT NULL, signed BLOB, audit BLOB
);
CREATE INDEX IF NOT EXISTS requests_of_reference ON requests (reference, created);
CREATE INDEX IF NOT EXISTS requests_open ON requests (status, expires_at);
"""
_COLUMNS = ", ".join(Signature.__struct_fields__)


class Register(Memory):
    """Times are in epoch seconds and given by the caller. Where nothing else is said, a transaction must be open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "signatures.sqlite", _SCHEMA)

    def add(self, key: str, asked: SignatureRequest, document: bytes, now: float) -> Signature:
        """A new request. Raises Refused where the time is over, or the document is not the one of the SHA-256."""
        if hashlib.sha256(document).hexdigest() != asked.sha256:
            raise Refused("the document is not the one of the SHA-256")
        if asked.expires_at <= now:
            raise Refused("the time to sign is over already")
        request, signer = new_id("sig"), asked.signer
        values = (request, key, asked.reference, asked.sha256, signer.name, signer.mail, "open", "", asked.expires_at)
        marks = ", ".join("?" * 18)
        self.db.execute(
            f"INSERT INTO requests VALUES ({marks})",
            (*values, now, None, None, "", "", self.next(), document, None, None),
        )
        return self.of(request)

    def view(self, request: str, now: float) -> Event:
        """The signer has looked at it. Raises Refused."""
        self._require_open(request)
        self._change(request, viewed=now)
        return self._tell("request.viewed", request, now)

    def complete(self, request: str, signed: bytes, audit: bytes, now: float) -> Event:
        """It was signed. Raises Refused."""
        self._require_open(request)
        digests = hashlib.sha256(signed).hexdigest(), hashlib.sha256(audit).hexdigest()
        self._change(request, signed=signed, audit=audit, signed_sha256=digests[0], audit_sha256=digests[1])
        return self._end(request, "completed", "", now)

    def decline(self, request: str, reason: str, now: float) -> Event:
        """The signer refuses. Raises Refused."""
        self._require_open(request)
        return self._end(request, "declined", reason, now)

    def cancel(self, request: str, reason: str, now: float) -> Signature:
        """The merchant takes it back; what is taken back already stays so. Raises Refused."""
        if self.of(request).status != "cancelled":
            self._require_open(request)
            self._change(request, status="cancelled", reason=reason, ended=now)
        return self.of(request)

    def expire(self, request: str, now: float) -> Event:
        """The time is over, whatever the clock says. Raises Refused."""
        self._require_open(request)
        return self._end(request, "expired", "", now)

    def expire_due(self, now: float) -> int:
        """Ends what nobody has signed in time, in a transaction of its own; how many there were."""
        with self.transaction():
            due = self.db.execute(
                "SELECT id FROM requests WHERE status = 'open' AND expires_at <= ?", (now,)
            ).fetchall()
            for (request,) in due:
                self._end(request, "expired", "", now)
        return len(due)

    def of(self, request: str) -> Signature:
        """One that is there."""
        found = self.find("id", request)
        assert found is not None, request
        return found

    def find(self, column: str, value: str) -> Signature | None:
        """By its `id` or its `key`; needs no transaction."""
        row = self.db.execute(f"SELECT {_COLUMNS} FROM requests WHERE {column} = ?", (value,)).fetchone()
        return None if row is None else _signature(row)

    def open_of(self, reference: str) -> Signature | None:
        """The newest request of a reference that is open; needs no transaction."""
        row = self.db.execute(
            f"SELECT {_COLUMNS} FROM requests WHERE reference = ? AND status = 'open' ORDER BY created DESC LIMIT 1",
            (reference,),
        ).fetchone()
        return None if row is None else _signature(row)

    def content(self, request: str, column: str) -> bytes | None:
        """The `document`, the `signed` one or the `audit` trail; needs no transaction."""
        row = self.db.execute(f"SELECT {column} FROM requests WHERE id = ?", (request,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def page(self, after: int, limit: int) -> SignaturePage:
        """The requests that have changed since the cursor, each as it is now; needs no transaction."""
        rows = self.db.execute(
            f"SELECT {_COLUMNS} FROM requests WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit + 1)
        ).fetchall()
        requests = [_signature(row) for row in rows[:limit]]
        return SignaturePage(requests, requests[-1].sequence if requests else after, len(rows) > limit)

    def counts(self) -> dict[str, int]:
        """How many there are, and what is yet to come."""
        one = self.db.execute(
            "SELECT (SELECT COUNT(*) FROM requests), (SELECT COUNT(*) FROM requests WHERE status = 'open'),"
            " (SELECT COUNT(*) FROM webhooks WHERE done = 0)"
        ).fetchone()
        return dict(zip(("requests", "open", "webhooks_undelivered"), one, strict=True))

    def _require_open(self, request: str) -> None:
        status = self.of(request).status
        if status != "open":
            raise Refused(f"request {request} is {status}")

    def _end(self, request: str, status: Status, reason: str, now: float) -> Event:
        self._change(request, status=status, reason=reason, ended=now)
        return self._tell(f"request.{status}", request, now)

    def _change(self, request: str, **values: object) -> None:
        fields = ", ".join(f"{name} = ?" for name in values)
        self.db.execute(
            f"UPDATE requests SET {fields}, sequence = ? WHERE id = ?", (*values.values(), self.next(), request)
        )

    def _tell(self, kind: str, request: str, now: float) -> Event:
        event = Event(new_id("evt"), kind, now, self.of(request))
        self.add_webhook(event.id, msgspec.json.encode(event), now)
        return event


def _signature(row: sqlite3.Row) -> Signature:
    return Signature(**{name: row[name] for name in Signature.__struct_fields__})
