"""One shop for all tests here, for its processes take seconds to start; each test has orders of its own."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.signatures.documents import misbehave
from tests.signatures.shop import Shop, running_shop
from tests.support.read_store import ReadStoreDatabase, ReadStoreServer, read_store_database, read_store_server
from tests.support.services import until

__all__ = ["read_store_database", "read_store_server", "shop"]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def whole_shop(
    tmp_path_factory: pytest.TempPathFactory,
    read_store_server: ReadStoreServer,
) -> AsyncIterator[Shop]:
    """Every process of it, on a log that was empty."""
    database = ReadStoreDatabase(read_store_server.uri, f"test_signing_{uuid.uuid4().hex[:8]}")
    async with running_shop(tmp_path_factory.mktemp("signing"), database) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="package")
async def shop(whole_shop: Shop) -> AsyncIterator[Shop]:
    """The shop as it should be: everything runs, and the provider behaves."""
    await misbehave(whole_shop.provider)
    yield whole_shop
    for one in whole_shop.services:
        if not one.running:
            await one.start()
            await until(one.answers, f"{one.name} answers again", 90)
