"""A shop over hosts of its own, once for all tests: its processes take seconds to start."""

import os
import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.hosts.hosted_shop import HostedShop, running_hosted_shop
from tests.hosts.network import Network, network_or_skip


@pytest.fixture(scope="package")
def seed() -> int:
    """What every random choice follows from: that of HOSTS_SEED, or another one each time; it is printed."""
    chosen = int(os.environ.get("HOSTS_SEED") or random.randrange(1_000_000))
    print(f"HOSTS_SEED={chosen}")
    return chosen


@pytest.fixture(scope="package")
def network(seed: int) -> Iterator[Network]:
    """The hosts; skips where none can be made."""
    yield from network_or_skip(seed)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shop(network: Network, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostedShop]:
    """Started, with stock; what must hold at the end holds of all its orders."""
    async with running_hosted_shop(tmp_path_factory.mktemp("hosts"), network, patience=600) as shop:
        await shop.receive("plenty", 10_000)
        yield shop
