"""A log of many stock deliveries over some articles, written straight into a node; and what is published of a log."""

import itertools
import uuid
from datetime import UTC, datetime

from application import APPLICATION
from domain.inventory.events import StockReceived
from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.integration.publisher import Publisher
from tests.support.bundled import CODEC
from tests.support.memory_keys import at_once

_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_AN_APPEND = 10


class StockLog:
    """Of the articles, which take turns; each takes the same number in a turn."""

    def __init__(self, uri: str, keys: int) -> None:
        self._store = EventStore(uri, deadline=60, retry_timeout=60)
        self._revisions = [NO_STREAM] * keys
        self._counts = [0] * keys
        self._turn = itertools.cycle(range(keys))

    async def write(self, events: int) -> None:
        """So many more events, ten of an article one behind the other."""
        for first in range(0, events, _AN_APPEND):
            key = next(self._turn)
            stream, begin = f"stock-sku-{key}", self._counts[key]
            end = begin + min(_AN_APPEND, events - first)
            new = [_received(stream, key, number) for number in range(begin, end)]
            self._revisions[key] = (await self._store.append(stream, self._revisions[key], new)).revision
            self._counts[key] = end

    async def close(self) -> None:
        await self._store.close()


async def write_stock_log(uri: str, events: int, keys: int) -> None:
    """All of a log of so many events."""
    log = StockLog(uri, keys)
    try:
        await log.write(events)
    finally:
        await log.close()


def _received(stream: str, key: int, number: int) -> NewEvent:
    event = StockReceived(f"sku-{key}", 1, number + 1, number + 1, _AT)
    event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key}-{number}"))
    return at_once(CODEC.encoder(stream, [event]))(event, EventMetadata(correlation_id=f"c-{key}"), event_id)


async def published(uri: str) -> list[CloudEvent]:
    """What the whole log comes to, by the pure mapping alone."""
    publisher = Publisher(APPLICATION.publications)
    store = EventStore(uri, deadline=60, retry_timeout=60)
    try:
        return [event async for stored in store.read_all() for event in publisher.publish(stored, CODEC.decode(stored))]
    finally:
        await store.close()
