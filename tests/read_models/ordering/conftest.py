"""The query API of the bundled domain over real HTTP, on a database of its own; a shelf stands for the projector."""

from collections.abc import AsyncIterator

import pytest

from application import APPLICATION
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from tests.read_models.ordering.order_shelf import OrderShelf
from tests.support.event_store import event_store_uri, events
from tests.support.read_store import ReadStoreDatabase, read_store_database, read_store_server
from tests.support.served import Client, query_settings, served

__all__ = ["event_store_uri", "events", "read_store_database", "read_store_server"]


@pytest.fixture
async def shelf(read_store_database: ReadStoreDatabase) -> AsyncIterator[OrderShelf]:
    """What the views hold; empty at first."""
    shelf = OrderShelf(ReadStore(read_store_database.uri, read_store_database.name))
    await shelf.prepare()
    yield shelf
    await shelf.close()


@pytest.fixture
def settings(read_store_database: ReadStoreDatabase) -> Settings:
    """Of a query API whose event store is away."""
    return query_settings(read_store_database)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Client]:
    """A client of the query API."""
    async with served(APPLICATION, settings) as client:
        yield client


@pytest.fixture
async def api_with_events(settings: Settings, event_store_uri: str) -> AsyncIterator[Client]:
    """A client of a query API that reaches the event store too."""
    async with served(APPLICATION, settings.changed(eventstore_uri=event_store_uri)) as client:
        yield client
