"""The query API of the tiny domain over real HTTP, on a database of its own; a shelf stands for the projector."""

from collections.abc import AsyncIterator

import pytest

from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.event_store import event_store_uri, events
from tests.support.read_store import ReadStoreDatabase, read_store_database, read_store_server
from tests.support.served import Client, query_settings, served
from tests.support.tiny import TINY

__all__ = ["event_store_uri", "events", "read_store_database", "read_store_server"]


@pytest.fixture
async def shelf(read_store_database: ReadStoreDatabase) -> AsyncIterator[TinyShelf]:
    """What the views hold; empty at first."""
    shelf = TinyShelf(ReadStore(read_store_database.uri, read_store_database.name))
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
    async with served(TINY, settings) as client:
        yield client


@pytest.fixture
async def api_with_events(settings: Settings, event_store_uri: str) -> AsyncIterator[Client]:
    """A client of a query API that reaches the event store too."""
    async with served(TINY, settings.changed(eventstore_uri=event_store_uri)) as client:
        yield client
