"""Where a customer's mails go: what the consumer remembers of customers, folded from their events alone.

One small document a customer, which holds the address until the customer is forgotten. Its guard is the position of the
event that it is of, so that an event that comes again changes nothing.
"""

from typing import Any, Protocol

import msgspec
from msgspec import Struct

from domain.customers.events import CustomerEmailChanged, CustomerForgotten, CustomerRegistered
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from infrastructure.read_store import StoredDocument, Write

COLLECTION = "notifying_recipients"

REMEMBERED: frozenset[type[Struct]] = frozenset({CustomerRegistered, CustomerEmailChanged, CustomerForgotten})
"""The events that say where mails go."""


class Documents(Protocol):
    """See infrastructure.read_store.ReadStore."""

    async def prepare(self, collection: str, struct: type[Struct], indexes: Any) -> None: ...

    async def load(self, collection: str, keys: Any) -> dict[str, StoredDocument]: ...

    async def write(self, collection: str, writes: Any) -> frozenset[str]: ...


class Recipient(Struct, frozen=True, omit_defaults=True):
    """Without an `email` the customer is forgotten, and gets no mail."""

    customer_id: str
    email: str | None = None


class Recipients:
    """Over a read store. Every method raises what the store raises."""

    def __init__(self, store: Documents) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Prepares the collection."""
        await self._store.prepare(COLLECTION, Recipient, ())

    async def remember(self, recorded: RecordedEvent[Any]) -> None:
        """What an event of REMEMBERED says."""
        event = recorded.event
        email = None if isinstance(event, CustomerForgotten) else event.email
        # One that can't be read any more is of a customer who is about to be forgotten here too.
        known = Recipient(event.customer_id, None if email == REDACTED else email)
        await self._store.write(COLLECTION, [Write(known.customer_id, recorded.position, msgspec.to_builtins(known))])

    async def of(self, customer_id: str) -> Recipient | None:
        """None where the customer was never registered nor forgotten."""
        found = (await self._store.load(COLLECTION, [customer_id])).get(customer_id)
        return None if found is None or found.fields is None else msgspec.convert(found.fields, Recipient)
