"""One shop for all tests of the gateway, and a gateway that limits nobody."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.gateway.shop import Gateway, Shop, behind, serving
from tests.support.envoy import envoy_binary
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreServer
from tests.support.services import node_uri, start_node


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    envoy_binary()
    folder = tmp_path_factory.mktemp("shop")
    read_store = ReadStoreServer(folder)
    node = await start_node(folder)
    try:
        await asyncio.to_thread(read_store.start)
        made = Shop(folder, node_uri(node.port), read_store.uri)
        try:
            await serving(made)
            yield made
        finally:
            for one in made.services:
                if one.was_started:
                    await one.kill()
    finally:
        await node.kill()
        read_store.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateway(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with behind(shop.gateway(Path(tmp_path_factory.mktemp("gateway")))) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with http_session() as session:
        yield session
