"""A store that falls silent (SIGSTOP) beneath a service: how soon that is noticed, and what is answered meanwhile.

Sixty-four clients ask without a pause. For each store: the time from its stop to the first 503; refusals a second from
then on, and the time of one; the time from its return to the first request that is answered as before.
"""

import asyncio
import os
import signal
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
import uvloop

from benchmarks.commands import COMMAND
from tests.support.read_store import ReadStoreServer
from tests.support.services import node_uri, running, start_node, until

CLIENTS = 64
SILENCE = 8.0
ROUNDS = 3

_BODY = msgspec.json.encode(COMMAND)
_JSON = {"Content-Type": "application/json"}


class Clients:
    """They ask for one thing again and again; `ask` is a method and a URL."""

    def __init__(self, http: aiohttp.ClientSession, method: str, url: str) -> None:
        self._http = http
        self._ask = method, url
        self._over = asyncio.Event()
        self.answers: list[tuple[float, float, int]] = []

    async def _run(self, number: int) -> None:
        asked = 0
        while not self._over.is_set():
            asked += 1
            url = self._ask[1].format(f"{number}-{asked}-{perf_counter()}")
            body = _BODY if self._ask[0] == "PUT" else None
            began = perf_counter()
            async with self._http.request(self._ask[0], url, data=body, headers=_JSON) as answer:
                await answer.read()
            self.answers.append((began, perf_counter(), answer.status))

    def answered(self, since: float) -> list[float]:
        """When those asked since then were answered as before."""
        return [ended for began, ended, status in self.answers if began > since and status < 300]

    async def has_answered(self, since: float) -> bool:
        return bool(self.answered(since))

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._run(number))
            try:
                yield
            finally:
                self._over.set()


async def run() -> None:
    """Prints the figures of both stores."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        node = await start_node(folder)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stores = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri}
        try:
            connector = aiohttp.TCPConnector(limit=0)
            async with (
                running("command_api", folder, **stores) as commands,
                running("projector", folder, **stores),
                running("query_api", folder, **stores) as queries,
                aiohttp.ClientSession(connector=connector) as http,
            ):
                async with http.put(commands.url + "/orders/o-1", data=_BODY, headers=_JSON) as placed:
                    position = placed.headers["Eventfold-Position"]
                async with http.get(f"{queries.url}/orders/o-1?at_least={position}") as seen:
                    seen.raise_for_status()
                assert node.pid is not None
                assert read_store.pid is not None
                await _measure(
                    "event store, commands (deadline 5 s)", node.pid, http, "PUT", commands.url + "/orders/{}"
                )
                await _measure(
                    "read store, queries (timeout 3 s)", read_store.pid, http, "GET", queries.url + "/orders/o-1"
                )
        finally:
            read_store.kill()
            await node.kill()


async def _measure(what: str, pid: int, http: aiohttp.ClientSession, method: str, url: str) -> None:
    noticed, rates, times, recovered = list[float](), list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        clients = Clients(http, method, url)
        async with clients.at_work():
            await asyncio.sleep(1)
            os.kill(pid, signal.SIGSTOP)
            stopped = perf_counter()
            await asyncio.sleep(SILENCE)
            os.kill(pid, signal.SIGCONT)
            back = perf_counter()
            await until(partial(clients.has_answered, back), "it answers again", 60)
        refused = [(began, ended) for began, ended, status in clients.answers if status == 503 and ended < back]
        first = min(ended for _, ended in refused)
        noticed.append(first - stopped)
        later = [ended - began for began, ended in refused if began > first]
        rates.append(len(later) / (back - first))
        times.append(statistics.median(later) * 1000)
        recovered.append(clients.answered(since=back)[0] - back)
    print(
        f"{what}: noticed after {statistics.median(noticed):.2f} s (longest {max(noticed):.2f}); then "
        f"{statistics.median(rates):,.0f} refusals/s, {statistics.median(times):.1f} ms each; answers again "
        f"{statistics.median(recovered):.2f} s after its return (longest {max(recovered):.2f})",
        flush=True,
    )


if __name__ == "__main__":
    uvloop.run(run())
