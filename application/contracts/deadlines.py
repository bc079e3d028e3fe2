"""When something is due for a contract that waits to be signed: a reminder, and then its end.

One small document a contract in the read store, folded from events alone, so it outlives every process and is made
again from the log. The guard of each is the position of the event that it is of; a contract that waits no longer leaves
a tombstone, so that an event that comes again brings no deadline back.
"""

import math
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from domain.documents.events import (
    ContractDeclined,
    ContractExpired,
    ContractSigned,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.model.recorded_event import RecordedEvent
from infrastructure.read_store import Write
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages

COLLECTION = "contract_deadlines"

FOLLOWED: frozenset[type[Struct]] = frozenset(
    {SignatureRequested, SignatureReminded, ContractSigned, ContractDeclined, ContractExpired, ContractWithdrawn}
)


class Deadline(Struct, frozen=True):
    """What is due next for a contract: its `action`, remind or expire. Times are in epoch milliseconds."""

    order_id: str
    action: str
    due_at: int
    expires_at: int

    def at(self, now: int) -> str:
        """What is to be done now: nobody is reminded of what is over."""
        return "expire" if now >= self.expires_at else self.action


class Deadlines:
    """Over a read store. Every method raises what the store raises."""

    def __init__(self, store: DocumentStore, *, remind_days: int) -> None:
        self._store = store
        self._remind_before = timedelta(days=remind_days)

    async def prepare(self) -> None:
        """Prepares the collection."""
        await self._store.prepare(COLLECTION, Deadline, (("due_at",),))

    async def follow(self, recorded: RecordedEvent[Any]) -> None:
        """What an event of FOLLOWED makes of the contract's deadline."""
        event = recorded.event
        next_one = self._next(event)
        fields = None if next_one is None else msgspec.to_builtins(next_one)
        await self._store.write(COLLECTION, [Write(event.order_id, recorded.position, fields)])

    async def in_order(self) -> AsyncIterator[Deadline]:
        """All that there are, the first due first."""
        async for fields in scan_pages(self._store, COLLECTION, {}, by="due_at"):
            yield msgspec.convert(fields, Deadline)

    async def forget(self, order_id: str) -> None:
        """Of a contract that is there no more."""
        await self._store.delete(COLLECTION, order_id)

    def _next(self, event: Any) -> Deadline | None:
        if isinstance(event, SignatureReminded):
            return _expiry(event.order_id, event.expires_at)
        if not isinstance(event, SignatureRequested):
            return None
        expiry = _expiry(event.order_id, event.expires_at)
        remind_at = event.expires_at - self._remind_before
        if not self._remind_before or remind_at <= event.requested_at:
            return expiry
        return msgspec.structs.replace(expiry, action="remind", due_at=_millis(remind_at))


def _expiry(order_id: str, expires_at: datetime) -> Deadline:
    at = _millis(expires_at)
    return Deadline(order_id, "expire", at, at)


def _millis(time: datetime) -> int:
    """Rounded up: never before the time."""
    return math.ceil(time.timestamp() * 1000)
