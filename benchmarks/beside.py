"""This checkout beside another one, in turns, on the same node and read store: commands, catch-up, queries by id, lag.

`python -m benchmarks.beside ../other-checkout [catch-up | queries | commands | lag ...]`; the other one has a .venv
of its own. Each ratio is this checkout's figure divided by the other's, taken round by round; for rates more is better,
for the lag less, and for the processor's time that a command takes in the command API and the node together: on a busy
machine that one says more than the rate.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
import uvloop
from msgspec import Struct

from benchmarks.catch_up import write_log
from benchmarks.commands import COMMAND
from benchmarks.http_load import load, request
from benchmarks.servers import cpu_seconds_of
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import ROOT, Service, node_uri, start_node, until

ROUNDS = 9
ORDERS = 8_000
IN_FLIGHT = (1, 16, 64)
LAG_SECONDS = 6.0
SAMPLE = 5


class Checkout(Struct, frozen=True):
    """A tree of sources with its own virtual environment; `name` is how its figures are called."""

    name: str
    root: Path

    @asynccontextmanager
    async def running(self, service: str, folder: Path, **settings: str) -> AsyncIterator[Service]:
        """One of its services, for the block."""
        port = free_port()
        # The ports were called otherwise before Kubernetes' variables were told apart.
        is_number = "_port_number" in (self.root / "infrastructure" / "settings.py").read_text()
        variable = f"{service.replace('-', '_')}_port{'_number' if is_number else ''}"
        given = {**settings, variable: str(port)}
        environ = {f"EVENTFOLD_{key.upper()}": value for key, value in given.items()}
        environ["PYTHONPATH"] = str(self.root)
        if not (self.root / "infrastructure" / "access_settings.py").exists():
            environ["EVENTFOLD_AUTH"] = ""  # a checkout from before tokens were asked for does not know the setting
        log = folder / f"{self.name}-{service}-{port}.log"
        started = _OfCheckout(self, service, port, environ, log)
        await started.start()
        try:
            await until(lambda: started.answers("/health/ready"), f"{service} of {self.name} is ready", 60)
            yield started
        finally:
            await started.kill()


class _OfCheckout(Service):
    def __init__(self, checkout: Checkout, service: str, port: int, environ: dict[str, str], log: Path) -> None:
        super().__init__(f"{service} of {checkout.name}", port, ["ops.cli", service], environ, log)
        self._checkout = checkout

    async def start(self) -> None:
        """With the interpreter and the sources of its checkout."""
        python = self._checkout.root / ".venv" / "bin" / "python"
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(str(python), "-P", "-m", *self._arguments),
                env={**os.environ, **self._environ},
                stdout=output,
                stderr=output,
                cwd=self._checkout.root,
            )


Measure = Callable[[Checkout], Awaitable[dict[str, float]]]
"""measure(checkout) -> figures by name, of one round."""


async def in_turns(measure: Measure, checkouts: list[Checkout], rounds: int = ROUNDS, *, warm_up: bool = True) -> None:
    """Prints the median of each figure for both checkouts, and the median of the ratios within the rounds."""
    figures: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds + warm_up):
        # Whoever comes second may find the machine warmer: they change places every round.
        for checkout in checkouts if number % 2 else checkouts[::-1]:
            for name, value in (await measure(checkout)).items():
                if number >= warm_up:
                    figures.setdefault(name, {one.name: [] for one in checkouts})[checkout.name].append(value)
    ours, theirs = (checkout.name for checkout in checkouts)
    for name, of in figures.items():
        ratio = statistics.median(a / b for a, b in zip(of[ours], of[theirs], strict=True))
        print(
            f"{name:<34}{statistics.median(of[ours]):>10.1f} {ours}, {statistics.median(of[theirs]):>10.1f} {theirs}, "
            f"ratio {ratio:.2f}",
            flush=True,
        )


async def run(other: Path, parts: Sequence[str]) -> None:
    """Prints the comparisons named; every one when none is."""
    checkouts = [Checkout("this", ROOT), Checkout("other", other)]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        stores = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri}
        events, _ = await write_log(stores["eventstore_uri"], ORDERS)
        comparisons = {
            "catch-up": lambda: _catch_up(checkouts, folder, stores, events),
            "queries": lambda: _queries(checkouts, folder, stores),
            "commands": lambda: _commands(checkouts, folder, stores, node),
            "lag": lambda: _lags(checkouts, folder, stores),
        }
        for part in parts or comparisons:
            await comparisons[part]()


async def _catch_up(checkouts: list[Checkout], folder: Path, stores: dict[str, str], events: int) -> None:
    async def measure(checkout: Checkout) -> dict[str, float]:
        database = {"mongo_database": f"{checkout.name}_{uuid.uuid4().hex[:8]}"}
        async with checkout.running("projector", folder, **stores, **database) as projector:
            started = perf_counter()
            await _drained(projector)
            return {"catch-up, events/s": events / (perf_counter() - started)}

    await in_turns(measure, checkouts)


async def _drained(projector: Service) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{projector.url}/drain?timeout=300") as answer:
        answer.raise_for_status()


async def _queries(checkouts: list[Checkout], folder: Path, stores: dict[str, str]) -> None:
    async with AsyncExitStack() as stack:
        services = {}
        for checkout in checkouts:
            given = {**stores, "mongo_database": f"{checkout.name}_queries"}
            async with checkout.running("projector", folder, **given) as projector:
                await _drained(projector)
            services[checkout.name] = await stack.enter_async_context(checkout.running("query-api", folder, **given))

        async def measure(checkout: Checkout) -> dict[str, float]:
            port = services[checkout.name].port
            messages = [request("GET", f"/orders/o-{n * 7919 % ORDERS}", f"127.0.0.1:{port}") for n in range(4_000)]
            figures = {}
            for in_flight in IN_FLIGHT:
                wanted = len(messages) if in_flight > 1 else len(messages) // 4
                result = await load("127.0.0.1", port, messages.__getitem__, connections=in_flight, requests=wanted)
                if result.statuses != {200: wanted}:
                    raise RuntimeError(f"answers other than 200: {result.statuses}")
                figures[f"queries by id, {in_flight} in flight, 1/s"] = result.per_second
            return figures

        await in_turns(measure, checkouts)


async def _commands(checkouts: list[Checkout], folder: Path, stores: dict[str, str], node: Service) -> None:
    async with AsyncExitStack() as stack:
        services = {
            checkout.name: await stack.enter_async_context(checkout.running("command-api", folder, **stores))
            for checkout in checkouts
        }

        async def measure(checkout: Checkout) -> dict[str, float]:
            api, figures = services[checkout.name], dict[str, float]()
            for in_flight in IN_FLIGHT:
                wanted = 600 * min(in_flight, 4)
                for name, send in (("commands", _place_orders), ("next steps", _confirm_orders)):
                    rate, cpu = await send(api, node, in_flight, wanted)
                    figures[f"{name}, {in_flight} in flight, 1/s"] = rate
                    figures[f"{name}, {in_flight} in flight, CPU us"] = cpu
            return figures

        await in_turns(measure, checkouts)


async def _place_orders(api: Service, node: Service, in_flight: int, wanted: int) -> tuple[float, float]:
    """Orders a second, and microseconds of the processor for each."""
    body, host = msgspec.json.encode(COMMAND), f"127.0.0.1:{api.port}"

    def message(_number: int) -> bytes:
        return request("PUT", f"/orders/{uuid.uuid4()}", host, body=body)

    return await _sent(api, node, message, in_flight, wanted, 201)


async def _confirm_orders(api: Service, node: Service, in_flight: int, wanted: int) -> tuple[float, float]:
    """The second command of as many orders, which the command API has in its cache."""
    name, body, host = uuid.uuid4(), msgspec.json.encode(COMMAND), f"127.0.0.1:{api.port}"

    def place(number: int) -> bytes:
        return request("PUT", f"/orders/{name}-{number}", host, body=body)

    def confirm(number: int) -> bytes:
        return request("POST", f"/orders/{name}-{number}/confirm", host)

    await load("127.0.0.1", api.port, place, connections=64, requests=wanted)
    return await _sent(api, node, confirm, in_flight, wanted, 200)


async def _sent(
    api: Service, node: Service, message: Callable[[int], bytes], in_flight: int, wanted: int, status: int
) -> tuple[float, float]:
    before = cpu_seconds_of(api.pid) + cpu_seconds_of(node.pid)
    result = await load("127.0.0.1", api.port, message, connections=in_flight, requests=wanted)
    if set(result.statuses) != {status}:
        raise RuntimeError(f"answers other than {status}: {result.statuses}")
    used = cpu_seconds_of(api.pid) + cpu_seconds_of(node.pid) - before
    return result.per_second, used / wanted * 1e6


async def _lags(checkouts: list[Checkout], folder: Path, stores: dict[str, str]) -> None:
    """At half of what this checkout's command API takes with its projector at work, the same rate for both."""
    rates: list[float] = []

    async def measure(checkout: Checkout) -> dict[str, float]:
        # A log and a database of its own, so that what earlier rounds left behind weighs on none.
        async with AsyncExitStack() as stack:
            node = await start_node(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.push_async_callback(node.kill)
            given = {
                **stores,
                "eventstore_uri": node_uri(node.port),
                "mongo_database": f"{checkout.name}_{uuid.uuid4().hex[:8]}",
            }
            api, projector, queries = [
                await stack.enter_async_context(checkout.running(name, folder, **given))
                for name in ("command-api", "projector", "query-api")
            ]
            if not rates:
                rates.append((await _place_orders(api, node, 64, 4_000))[0] / 2)
            await _drained(projector)
            lags = await _lags_at(rates[0], api, queries)
        return {
            f"lag, {name}, ms": lags[int(len(lags) * share)] * 1000 for name, share in (("p50", 0.5), ("p99", 0.99))
        }

    await in_turns(measure, checkouts, warm_up=False)


async def _lags_at(rate: float, api: Service, queries: Service) -> list[float]:
    """The time from each sampled order's acknowledgement until a query shows it, in ascending order."""
    body, lags = msgspec.json.encode(COMMAND), list[float]()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(number: int) -> None:
            path = f"/orders/{uuid.uuid4()}"
            headers = {"Content-Type": "application/json"}
            async with http.put(api.url + path, data=body, headers=headers) as placed:
                placed.raise_for_status()
                position = placed.headers["Eventfold-Position"]
            acknowledged = perf_counter()
            if number % SAMPLE == 0:
                async with http.get(f"{queries.url}{path}?at_least={position}") as answer:
                    answer.raise_for_status()
                    lags.append(perf_counter() - acknowledged)

        started = perf_counter()
        async with asyncio.TaskGroup() as sent:
            for number in range(int(rate * LAG_SECONDS)):
                await asyncio.sleep(max(0.0, started + number / rate - perf_counter()))
                sent.create_task(one(number))
    return sorted(lags)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m benchmarks.beside OTHER_CHECKOUT [catch-up | queries | commands | lag ...]")
    uvloop.run(run(Path(sys.argv[1]).resolve(), sys.argv[2:]))
