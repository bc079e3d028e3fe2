"""Lag under half load: how long after its acknowledgement a command is visible in a query.

The command API's capacity is measured first, with the projector at work; then commands are sent at half that rate on a
fixed schedule, and every fifth acknowledged order is read back with `at_least`. The time from the acknowledgement to
that response is the lag, the query itself included.
"""

import asyncio
import tempfile
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
import uvloop

from benchmarks.commands import COMMAND
from benchmarks.http_load import load, request
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, node_uri, running, start_node

CAPACITY_REQUESTS = 4_000
SECONDS = 15.0
SAMPLE = 5


async def run() -> None:
    """Prints the load, and the lag's p50, p99 and worst."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri}
        api, _, queries = [
            await stack.enter_async_context(running(name, folder, "/health/ready", **settings))
            for name in ("command_api", "projector", "query_api")
        ]
        rate = await _capacity(api) / 2
        lags = await _lags(api, queries, rate)
    p50, p99 = (lags[int(len(lags) * fraction)] * 1000 for fraction in (0.50, 0.99))
    print(
        f"at {rate:.0f} commands/s (half of what the command API takes with the projector at work), "
        f"{len(lags)} orders read back: lag p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {lags[-1] * 1000:.0f} ms"
    )


async def _capacity(api: Service) -> float:
    host = f"127.0.0.1:{api.port}"
    body = msgspec.json.encode(COMMAND)
    result = await load(
        "127.0.0.1",
        api.port,
        lambda _number: request("PUT", f"/orders/{uuid.uuid4()}", host, body=body),
        connections=64,
        requests=CAPACITY_REQUESTS,
    )
    return result.per_second


async def _lags(api: Service, queries: Service, rate: float) -> list[float]:
    body = msgspec.json.encode(COMMAND)
    lags: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(number: int) -> None:
            path = await _place(http, api, body)
            acknowledged = perf_counter()
            if number % SAMPLE == 0:
                async with http.get(queries.url + path) as response:
                    response.raise_for_status()
                    lags.append(perf_counter() - acknowledged)

        await _until_caught_up(http, queries, await _place(http, api, body))
        started = perf_counter()
        async with asyncio.TaskGroup() as sent:
            for number in range(int(rate * SECONDS)):
                await asyncio.sleep(max(0.0, started + number / rate - perf_counter()))
                sent.create_task(one(number))
    return sorted(lags)


async def _place(http: aiohttp.ClientSession, api: Service, body: bytes) -> str:
    """Places an order; the path under which it will be seen."""
    path = f"/orders/{uuid.uuid4()}"
    async with http.put(api.url + path, data=body, headers={"Content-Type": "application/json"}) as response:
        response.raise_for_status()
        return f"{path}?at_least={response.headers['Eventfold-Position']}"


async def _until_caught_up(http: aiohttp.ClientSession, queries: Service, path: str) -> None:
    """Waits for the backlog of the capacity run, which must not be measured here."""
    async with asyncio.timeout(120):
        while True:
            async with http.get(queries.url + path) as response:
                if response.status == 200:
                    return


if __name__ == "__main__":
    uvloop.run(run())
