"""The query API over real HTTP, on a database of its own; the projector's part is played by `Shelf`."""

from collections.abc import AsyncIterator

import pytest

from embedded.event_store_node.node import EventStoreNode
from infrastructure.event_store import EventStore
from infrastructure.settings import Settings
from tests.query_api.shelf import Shelf
from tests.support.read_store import ReadStoreDatabase, read_store_database, read_store_server
from tests.support.served import Client, served

__all__ = ["read_store_database", "read_store_server"]

NOBODY_THERE = "esdb://127.0.0.1:9?Tls=false"


@pytest.fixture
async def shelf(read_store_database: ReadStoreDatabase) -> AsyncIterator[Shelf]:
    """What the views hold; empty at first."""
    shelf = Shelf(read_store_database.uri, read_store_database.name)
    await shelf.prepare()
    yield shelf
    await shelf.close()


@pytest.fixture
def settings(read_store_database: ReadStoreDatabase) -> Settings:
    """Of a query API whose event store is away."""
    return Settings(
        eventstore_uri=NOBODY_THERE,
        eventstore_retry_timeout=0.1,
        mongo_uri=read_store_database.uri,
        mongo_database=read_store_database.name,
        at_least_timeout=0.4,
        readstore_timeout=1.0,
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Client]:
    """A client of the query API."""
    async with served(settings) as client:
        yield client


@pytest.fixture
async def events() -> AsyncIterator[EventStore]:
    """An event store, empty at first."""
    async with EventStoreNode() as node:
        store = EventStore(node.uri)
        store.uri = node.uri  # type: ignore[attr-defined]
        yield store
        await store.close()


@pytest.fixture
async def api_with_events(settings: Settings, events: EventStore) -> AsyncIterator[Client]:
    """A client of a query API that reaches the event store too."""
    from msgspec.structs import replace

    async with served(replace(settings, eventstore_uri=events.uri)) as client:  # type: ignore[attr-defined]
        yield client
