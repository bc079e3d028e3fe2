"""The query API of the bundled domain over real HTTP, on a database of its own; a shelf stands for the projector."""

from collections.abc import AsyncIterator

import pytest

from application import APPLICATION
from infrastructure.application import Application
from infrastructure.read_store import ReadStore
from tests.read_models.ordering.order_shelf import OrderShelf
from tests.support.event_store import event_store_uri, events
from tests.support.query_api import api, api_with_events, settings
from tests.support.read_store import ReadStoreDatabase, read_store_database, read_store_server

__all__ = [
    "api",
    "api_with_events",
    "event_store_uri",
    "events",
    "read_store_database",
    "read_store_server",
    "settings",
]


@pytest.fixture
def application() -> Application:
    """What the query API serves."""
    return APPLICATION


@pytest.fixture
async def shelf(read_store_database: ReadStoreDatabase) -> AsyncIterator[OrderShelf]:
    """What the views hold; empty at first."""
    shelf = OrderShelf(ReadStore(read_store_database.uri, read_store_database.name))
    await shelf.prepare()
    yield shelf
    await shelf.close()
