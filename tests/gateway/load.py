"""Clients that ask without pause, and what each of them was told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.gateway.shop import Shop
from tests.support.http_session import http_session


class Load:
    """`seen` counts the statuses, and the errors of connections by their names."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.stopped = False

    @property
    def answered(self) -> int:
        return self.seen.total()


@asynccontextmanager
async def under_load(url: str, shop: Shop, clients: int = 8) -> AsyncIterator[Load]:
    """Each client installs lamp after lamp, with an idempotency key, and reads each one's history."""
    load = Load()

    async def client(number: int) -> None:
        headers = shop.bearer(f"client-{number}")
        async with http_session() as http:
            turn = 0
            while not load.stopped:
                turn += 1
                lamp = f"{url.rpartition(':')[2]}-{number}-{turn}"
                keyed = {**headers, "Idempotency-Key": lamp}
                body = {"room": "hall", "watts": 40}
                await _one(load, http.put(f"{url}/lamps/{lamp}", json=body, headers=keyed))
                await _one(load, http.get(f"{url}/lamps/{lamp}/history", headers=headers))

    tasks = [asyncio.create_task(client(number)) for number in range(clients)]
    try:
        yield load
    finally:
        load.stopped = True
        await asyncio.gather(*tasks)


async def _one(load: Load, request: "aiohttp.client._BaseRequestContextManager[aiohttp.ClientResponse]") -> None:
    try:
        async with request as response:
            await response.read()
            load.seen[str(response.status)] += 1
    except aiohttp.ClientError as error:
        load.seen[type(error).__name__] += 1
