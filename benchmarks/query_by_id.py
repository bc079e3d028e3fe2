"""Query by id: our route against a Litestar route that does one bare motor find_one and nothing else.

Both read the same documents of the same nx-27017, in processes of their own, driven in turns by one client. A route
of fixed bytes is measured too, to show what HTTP and Litestar alone cost here.
"""

import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import msgspec
import uvloop

from benchmarks.http_load import LoadResult, load, request
from infrastructure.read_store import ReadStore, Write
from infrastructure.view_registry import ViewRegistry
from infrastructure.view_registry.transitions import first_record
from read_models.ordering.order_details import ORDER_DETAILS, DetailLine, OrderDetails
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, until

ORDERS = 20_000
LINES = 10
ROUNDS = 5
REQUESTS = 4_000
DATABASE = "benchmark"
HOST = "127.0.0.1"

OURS, BARE, FIXED = "query API", "bare find_one", "fixed bytes"
PROGRAMS = {
    OURS: ["ops.cli", "query-api"],
    BARE: ["benchmarks.bare_routes", "find_one"],
    FIXED: ["benchmarks.bare_routes", "fixed"],
}


async def run() -> None:
    """Prints requests per second, latencies and ratios, at 1, 16 and 64 requests in flight."""
    with tempfile.TemporaryDirectory() as folder:
        server = ReadStoreServer(Path(folder))
        await asyncio.to_thread(server.start)
        try:
            await _fill(server.uri)
            async with _services(server.uri, Path(folder)) as ports:
                for in_flight in (1, 16, 64):
                    await _compare(ports, in_flight)
        finally:
            server.kill()


async def _compare(ports: dict[str, int], in_flight: int) -> None:
    results: dict[str, list[LoadResult]] = {name: [] for name in ports}
    for round_number in range(ROUNDS + 1):
        for name, port in ports.items():
            result = await _drive(port, in_flight, REQUESTS if in_flight > 1 else REQUESTS // 4)
            if round_number > 0:  # the first round warms up
                results[name].append(result)
    print(f"\n{in_flight} in flight, median of {ROUNDS} rounds")
    rates = {name: statistics.median(one.per_second for one in runs) for name, runs in results.items()}
    for name, runs in results.items():
        p50, p99 = (statistics.median(one.percentile(percent) for one in runs) * 1000 for percent in (50, 99))
        ratio = statistics.median(
            one.per_second / bare.per_second for one, bare in zip(runs, results[BARE], strict=True)
        )
        print(
            f"  {name:14} {rates[name]:8.0f} requests/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"
            f"   {ratio:5.2f} of the bare find_one"
        )


async def _drive(port: int, in_flight: int, requests: int) -> LoadResult:
    host = f"{HOST}:{port}"
    # A stride that is prime to the number of orders visits all of them in a scattered order.
    messages = [request("GET", f"/orders/order-{n * 7919 % ORDERS}", host) for n in range(requests)]
    result = await load(HOST, port, messages.__getitem__, connections=in_flight, requests=requests)
    if result.statuses != {200: requests}:
        raise RuntimeError(f"responses other than 200: {result.statuses}")
    return result


async def _fill(uri: str) -> None:
    store = ReadStore(uri, DATABASE)
    await ViewRegistry(store).save(first_record(ORDER_DETAILS.name, ORDER_DETAILS.version, 1, 0))
    lines = [DetailLine(f"sku-{n}", n + 1, 250, 5, (n + 1) * 250 - 5) for n in range(LINES)]
    for start in range(0, ORDERS, 1000):
        writes = []
        for n in range(start, start + 1000):
            order = OrderDetails(
                order_id=f"order-{n}",
                customer_id=f"customer-{n % 997}",
                currency="USD",
                status="confirmed",
                total=sum(line.total for line in lines),
                item_count=sum(line.quantity for line in lines),
                lines=lines,
                ordered_at=1_700_000_000_000 + n,
                created_at=1_700_000_000_000 + n,
                updated_at=1_700_000_100_000 + n,
                version=1,
                placed_position=n * 100,
                confirmed_at=1_700_000_100_000 + n,
            )
            writes.append(Write(order.order_id, n * 100 + 50, msgspec.to_builtins(order), new=True))
        await store.write(ORDER_DETAILS.collection, writes)
    await store.close()


@contextlib.asynccontextmanager
async def _services(uri: str, folder: Path) -> AsyncIterator[dict[str, int]]:
    services = [_service(name, uri, folder) for name in PROGRAMS]
    try:
        for service in services:
            await service.start()
            await until(partial(service.answers, "/orders/order-0"), f"{service.name} answers")
        yield {service.name: service.port for service in services}
    finally:
        for service in services:
            await service.kill()


def _service(name: str, uri: str, folder: Path) -> Service:
    port = free_port()
    environ = {
        "EVENTFOLD_MONGO_URI": uri,
        "EVENTFOLD_MONGO_DATABASE": DATABASE,
        "EVENTFOLD_QUERY_API_PORT_NUMBER": str(port),
    }
    return Service(name, port, PROGRAMS[name], environ, folder / f"{name}.log")


if __name__ == "__main__":
    uvloop.run(run())
