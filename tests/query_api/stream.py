"""An order's stream in a real event store: events of today, of yesterday's schema, and ones nobody can read."""

import json
import time
import uuid
from typing import Any

from msgspec import Struct

from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import EventStore, NewEvent, StoredEvent
from tests.support.bundled import CODEC
from tests.support.services import until

CREATED_V1 = {
    "order_id": "o-1",
    "customer_id": "customer-1",
    "currency": "USD",
    "lines": [{"sku": "tea", "quantity": 2, "price": 450}, {"sku": "cup", "quantity": 1, "price": 1000}],
    "created_at": "2024-01-31T12:00:00Z",
}


class OrderStream:
    """Appends to the stream of order `o-1`."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.last = -1

    async def happened(self, event: Struct, **metadata: Any) -> StoredEvent:
        """An event of today's schema."""
        return await self._append(CODEC.encode(event, EventMetadata(**metadata), str(uuid.uuid4())))

    async def raw(self, name: str, data: bytes, metadata: bytes = b"") -> StoredEvent:
        """An event as it stands."""
        return await self._append(NewEvent(str(uuid.uuid4()), name, data, metadata))

    async def created_v1(self) -> StoredEvent:
        """An OrderCreated that an earlier release wrote: no schema version, no discounts, no totals."""
        return await self.raw("OrderCreated", json.dumps(CREATED_V1).encode())

    async def _append(self, event: NewEvent) -> StoredEvent:
        await self.store.append("order-o-1", self.last, [event])
        self.last += 1
        (stored,) = await self.store.read_stream("order-o-1", self.last)

        async def clock_moved_on() -> bool:
            return time.time() * 1000 > stored.recorded_at + 2

        # So that the next event has a later time of record than this one.
        await until(clock_moved_on, "the clock moves on")
        return stored
