"""The read store killed, restarted, and hanging: 503 while it is away, and answers again by itself."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.read_store import ReadStoreServer
from tests.support.served import NOBODY_THERE, Client, served
from tests.support.services import until
from tests.support.tiny import TINY

PATHS = [
    "/lamps/l-1",
    "/lamps/l-1?at_least=1",
    "/lamps",
    "/parcel-days/2026-03-14",
    "/rooms/hall/lamps",
    "/parcel-days?from=2026-03-01&to=2026-03-31",
    "/parcel-days?from=2026-03-01&to=2026-03-31&at_least=1",
]
TIMEOUT = 0.5
"""So short that on a busy machine a query may be refused although the store is there."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ReadStoreServer]:
    server = ReadStoreServer(tmp_path)
    await asyncio.to_thread(server.start)
    yield server
    server.kill()


@pytest.fixture
async def client(server: ReadStoreServer) -> AsyncIterator[Client]:
    shelf = TinyShelf(ReadStore(server.uri, "faults"))
    await shelf.prepare()
    await shelf.lamp("l-1", 1)
    await shelf.day(20260314, 1)
    for view in TINY.views:
        await shelf.checkpoint(view, 1)
    await shelf.close()
    settings = Settings.of(
        auth="off",
        eventstore_uri=NOBODY_THERE,
        mongo_uri=server.uri,
        mongo_database="faults",
        readstore_timeout=TIMEOUT,
    )
    async with served(TINY, settings) as client:
        yield client


async def _all_answer(client: Client) -> bool:
    replies = await asyncio.gather(*(client.get(path) for path in PATHS))
    return {reply.status for reply in replies} == {200}


async def _all_refuse(client: Client) -> None:
    """While the store stays away: whoever waited for it would get no answer at all."""
    for reply in await asyncio.gather(*(client.get(path) for path in PATHS * 5)):
        reply.refused(503)
        assert reply.headers["retry-after"] == "1"
        assert reply.json["title"] == "The read store can't be reached"


async def test_a_read_store_that_is_killed_and_comes_back(server: ReadStoreServer, client: Client) -> None:
    await until(lambda: _all_answer(client), "every query is answered")
    server.kill()
    await _all_refuse(client)
    assert (await client.get("/health/live")).status == 200
    ready = await client.get("/health/ready")
    assert ready.status == 503
    assert ready.json["dependencies"]["read_store"]["status"] == "down"
    await asyncio.to_thread(server.start)
    await until(lambda: _all_answer(client), "every query is answered again")


async def test_a_read_store_that_hangs_and_goes_on(server: ReadStoreServer, client: Client) -> None:
    forgotten: list[dict[str, Any]] = []  # failures that nobody was told of
    asyncio.get_running_loop().set_exception_handler(lambda _, context: forgotten.append(context))
    await until(lambda: _all_answer(client), "every query is answered")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        await _all_refuse(client)
        await _all_refuse(client)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await until(lambda: _all_answer(client), "every query is answered again")
    gc.collect()
    assert forgotten == []


async def test_requests_under_way_when_it_is_killed_get_an_answer(server: ReadStoreServer, client: Client) -> None:
    requests = [asyncio.create_task(client.get(PATHS[number % len(PATHS)])) for number in range(100)]
    await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    server.kill()
    assert {reply.status for reply in await asyncio.gather(*requests)} <= {200, 503}
