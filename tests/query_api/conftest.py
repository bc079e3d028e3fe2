"""The query API of the tiny domain over real HTTP, on a database of its own; a shelf stands for the projector."""

from collections.abc import AsyncIterator

import pytest

from infrastructure.application import Application
from infrastructure.read_store import ReadStore
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.event_store import event_store_uri, events
from tests.support.query_api import api, api_with_events, settings
from tests.support.read_store import ReadStoreDatabase, read_store_database, read_store_server
from tests.support.tiny import TINY

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
    return TINY


@pytest.fixture
async def shelf(read_store_database: ReadStoreDatabase) -> AsyncIterator[TinyShelf]:
    """What the views hold; empty at first."""
    shelf = TinyShelf(ReadStore(read_store_database.uri, read_store_database.name))
    await shelf.prepare()
    yield shelf
    await shelf.close()
