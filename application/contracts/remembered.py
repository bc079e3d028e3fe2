"""What the consumer that draws contracts up remembers: what was ordered, and what customers are called.

Folded from events alone, one small document an order and one a customer. The guard of each is the position of the event
that it is of, so that an event that comes again changes nothing. A customer's name stays until the customer is
forgotten.
"""

from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from domain.customers.events import CustomerForgotten, CustomerRegistered, CustomerRenamed
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import Line, OrderCreated
from infrastructure.read_store import StoredDocument, Write

ORDERS = "contract_orders"
CUSTOMERS = "contract_customers"

REMEMBERED: frozenset[type[Struct]] = frozenset({OrderCreated, CustomerRegistered, CustomerRenamed, CustomerForgotten})


class Documents(Protocol):
    """See infrastructure.read_store.ReadStore."""

    async def prepare(self, collection: str, struct: type[Struct], indexes: Any) -> None: ...

    async def load(self, collection: str, keys: Any) -> dict[str, StoredDocument]: ...

    async def write(self, collection: str, writes: Any) -> frozenset[str]: ...


class RememberedOrder(Struct, frozen=True):
    """What a contract says of an order. `ordered_at` is as JSON has it."""

    order_id: str
    currency: str
    lines: list[Line]
    total: int
    ordered_at: str


class RememberedCustomer(Struct, frozen=True, omit_defaults=True):
    """Without a `name` the customer is forgotten."""

    customer_id: str
    name: str | None = None


class Remembered:
    """Over a read store. Every method raises what the store raises."""

    def __init__(self, store: Documents) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Prepares the collections."""
        await self._store.prepare(ORDERS, RememberedOrder, ())
        await self._store.prepare(CUSTOMERS, RememberedCustomer, ())

    async def remember(self, recorded: RecordedEvent[Any]) -> None:
        """What an event of REMEMBERED says."""
        event = recorded.event
        if isinstance(event, OrderCreated):
            order = RememberedOrder(
                event.order_id, event.currency, event.lines, event.total, _as_text(event.ordered_at)
            )
            await self._write(ORDERS, event.order_id, recorded.position, order)
            return
        name = None if isinstance(event, CustomerForgotten) else event.name
        # One that can't be read any more is of a customer who is about to be forgotten here too.
        customer = RememberedCustomer(event.customer_id, None if name == REDACTED else name)
        await self._write(CUSTOMERS, event.customer_id, recorded.position, customer)

    async def order(self, order_id: str) -> RememberedOrder | None:
        """None where its beginning was never seen."""
        fields = await self._fields(ORDERS, order_id)
        return None if fields is None else msgspec.convert(fields, RememberedOrder)

    async def customer(self, customer_id: str) -> RememberedCustomer | None:
        """None where the customer was never registered nor forgotten."""
        fields = await self._fields(CUSTOMERS, customer_id)
        return None if fields is None else msgspec.convert(fields, RememberedCustomer)

    async def _fields(self, collection: str, key: str) -> dict[str, Any] | None:
        found = (await self._store.load(collection, [key])).get(key)
        return None if found is None else found.fields

    async def _write(self, collection: str, key: str, position: int, document: Struct) -> None:
        await self._store.write(collection, [Write(key, position, msgspec.to_builtins(document))])


def _as_text(time: datetime) -> str:
    return str(msgspec.to_builtins(time))
