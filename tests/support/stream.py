"""One stream in a real event store: events of today, of yesterday's schema, and ones nobody can read."""

import time
import uuid
from typing import Any

from msgspec import Struct

from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import EventStore, NewEvent, StoredEvent
from tests.support.services import until


class Stream:
    """Appends to one stream, after what it has appended before."""

    def __init__(self, store: EventStore, codec: EventCodec, name: str) -> None:
        self.store = store
        self.name = name
        self.last = -1
        self._codec = codec

    async def happened(self, event: Struct, **metadata: Any) -> StoredEvent:
        """An event of today's schema."""
        return await self._append(self._codec.encode(event, EventMetadata(**metadata), str(uuid.uuid4())))

    async def raw(self, name: str, data: bytes, metadata: bytes = b"") -> StoredEvent:
        """An event as it stands."""
        return await self._append(NewEvent(str(uuid.uuid4()), name, data, metadata))

    async def _append(self, event: NewEvent) -> StoredEvent:
        await self.store.append(self.name, self.last, [event])
        self.last += 1
        (stored,) = await self.store.read_stream(self.name, self.last)

        async def clock_moved_on() -> bool:
            return time.time() * 1000 > stored.recorded_at + 2

        # So that the next event has a later time of record than this one.
        await until(clock_moved_on, "the clock moves on")
        return stored
