"""An event store of a test's own."""

from collections.abc import AsyncIterator

import pytest

from embedded.event_store_node.node import EventStoreNode
from infrastructure.event_store import EventStore


@pytest.fixture
async def event_store_uri() -> AsyncIterator[str]:
    """Where an event store listens that is empty at first."""
    async with EventStoreNode() as node:
        yield node.uri


@pytest.fixture
async def events(event_store_uri: str) -> AsyncIterator[EventStore]:
    """That event store."""
    store = EventStore(event_store_uri)
    yield store
    await store.close()
