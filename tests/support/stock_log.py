"""A log of many stock deliveries over some articles, written straight into a node; and what is published of a log."""

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


async def write_stock_log(uri: str, events: int, keys: int) -> None:
    """So many events, the same number of each of the articles, which take turns."""
    store = EventStore(uri, deadline=60, retry_timeout=60)
    each = events // keys
    revisions = [NO_STREAM] * keys
    try:
        for first in range(0, each, _AN_APPEND):
            for key in range(keys):
                stream = f"stock-sku-{key}"
                new = [_received(stream, key, number) for number in range(first, min(first + _AN_APPEND, each))]
                revisions[key] = (await store.append(stream, revisions[key], new)).revision
    finally:
        await store.close()


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
