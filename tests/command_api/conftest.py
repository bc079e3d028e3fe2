"""A command API over a node of its own, both real processes, shared by the tests of a module: its fixture `domain` says
what is served."""

from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from tests.support.http_session import http_session
from tests.support.services import Service, node_uri, running, start_node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(domain: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    directory = tmp_path_factory.mktemp("command_api")
    node = await start_node(directory)
    try:
        settings = {"eventstore_uri": node_uri(node.port), "max_body_bytes": "262144"}
        async with running("command_api", directory, "/health/ready", domain=domain, **settings) as service:
            service.node = node  # type: ignore[attr-defined]
            yield service
    finally:
        await node.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(api: Service) -> AsyncIterator[aiohttp.ClientSession]:
    async with http_session(api.url) as session:
        yield session


@pytest.fixture
def order_id() -> str:
    return f"o-{uuid4()}"


@pytest.fixture
def lamp_id() -> str:
    return f"l-{uuid4()}"
