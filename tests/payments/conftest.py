"""A shop for the tests of one module."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.payments.shop import Shop, running_shop
from tests.support.read_store import ReadStoreDatabase, read_store_database, read_store_server

__all__ = ["read_store_database", "read_store_server", "shop"]


@pytest.fixture
async def shop(tmp_path: Path, read_store_database: ReadStoreDatabase) -> AsyncIterator[Shop]:
    """Every process of it, on an empty log."""
    async with running_shop(tmp_path, read_store_database) as shop:
        yield shop
