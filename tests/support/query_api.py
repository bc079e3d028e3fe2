"""Fixtures of a query API over real HTTP, on a database of its own. Who uses them gives the `application` it serves."""

from collections.abc import AsyncIterator

import pytest

from infrastructure.application import Application
from infrastructure.settings import Settings
from tests.support.read_store import ReadStoreDatabase
from tests.support.served import Client, query_settings, served


@pytest.fixture
def settings(read_store_database: ReadStoreDatabase) -> Settings:
    """Of a query API whose event store is away."""
    return query_settings(read_store_database)


@pytest.fixture
async def api(application: Application, settings: Settings) -> AsyncIterator[Client]:
    """A client of the query API."""
    async with served(application, settings) as client:
        yield client


@pytest.fixture
async def api_with_events(application: Application, settings: Settings, event_store_uri: str) -> AsyncIterator[Client]:
    """A client of a query API that reaches the event store too."""
    async with served(application, settings.changed(eventstore_uri=event_store_uri)) as client:
        yield client
