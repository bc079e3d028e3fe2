"""Who a customer is to a signing provider: the name and the address, folded from the customers' events alone.

One small document a customer, which holds both until the customer is forgotten. Its guard is the position of the event
that it is of, so that an event that comes again changes nothing.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from application.contracts.remembered import Documents
from domain.customers.events import CustomerEmailChanged, CustomerForgotten, CustomerRegistered, CustomerRenamed
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from infrastructure.read_store import Write

COLLECTION = "contract_signers"

REMEMBERED: frozenset[type[Struct]] = frozenset(
    {CustomerRegistered, CustomerRenamed, CustomerEmailChanged, CustomerForgotten}
)
"""The events that say who somebody is."""


class Signer(Struct, frozen=True, omit_defaults=True):
    """`forgotten`: nobody is left to sign. Without a name or an address, none was told."""

    customer_id: str
    name: str = ""
    email: str = ""
    forgotten: bool = False


class Signers:
    """Over a read store. A customer without an address of his own has a mailbox of the name of his id at
    `customer_domain`. Every method raises what the store raises."""

    def __init__(self, store: Documents, customer_domain: str) -> None:
        self._store = store
        self._domain = customer_domain

    async def prepare(self) -> None:
        """Prepares the collection."""
        await self._store.prepare(COLLECTION, Signer, ())

    async def remember(self, recorded: RecordedEvent[Any]) -> None:
        """What an event of REMEMBERED says."""
        event = recorded.event
        known = await self._known(event.customer_id)
        match event:
            case CustomerForgotten():
                known = Signer(event.customer_id, forgotten=True)
            case CustomerRegistered():
                known = Signer(event.customer_id, event.name, event.email or "")
            case CustomerRenamed():
                known = replace(known, name=event.name)
            case CustomerEmailChanged():
                known = replace(known, email=event.email)
        if REDACTED in (known.name, known.email):
            # One that can't be read any more is of a customer who is about to be forgotten here too.
            known = Signer(event.customer_id, forgotten=True)
        await self._store.write(COLLECTION, [Write(known.customer_id, recorded.position, msgspec.to_builtins(known))])

    async def of(self, customer_id: str) -> Signer | None:
        """None where the customer is forgotten."""
        known = await self._known(customer_id)
        if known.forgotten:
            return None
        name, email = known.name or customer_id, known.email or f"{customer_id}@{self._domain}"
        return Signer(customer_id, name, email)

    async def _known(self, customer_id: str) -> Signer:
        found = (await self._store.load(COLLECTION, [customer_id])).get(customer_id)
        if found is None or found.fields is None:
            return Signer(customer_id)
        return msgspec.convert(found.fields, Signer)
