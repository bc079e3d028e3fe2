"""Catch-up of the projector, all views together, against a bare read of the same log by AsyncEventStoreDBClient.

Node, read store and projector are processes of their own; the bare client reads the same node and does nothing with
what it gets. Both run in turns, each catch-up into an empty database and from the projector's first response over HTTP
to the moment when the last view's checkpoint is at the end of the log. CPU seconds are each process's own.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from esdbclient import AsyncEventStoreDBClient

from application import APPLICATION
from benchmarks.servers import cpu_seconds_of
from domain.ordering.events import Line, OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderShipped
from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.event_codec import EventCodec, EventMetadata, event_id
from infrastructure.event_store import EventStore
from infrastructure.read_store import ReadStore
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, node_uri, running, start_node

VIEWS = APPLICATION.views
CODEC = EventCodec(APPLICATION.aggregates)
ORDERS = 6_000
LINES = 9
ROUNDS = 3
_START = datetime(2026, 1, 1, tzinfo=UTC)


async def run() -> None:
    """Prints events per second of both, their ratio, and where the time went."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        events, last = await write_log(node_uri(node.port))
        bare, caught_up, seconds = [], [], []
        for number in range(ROUNDS):
            bare.append(events / await _bare_read(node_uri(node.port)))
            taken, cpu = await _catch_up(folder, node, read_store, f"round_{number}", last)
            caught_up.append(events / taken)
            seconds.append(cpu)
    _report(events, bare, caught_up, seconds)


def _report(events: int, bare: list[float], caught_up: list[float], seconds: list[dict[str, float]]) -> None:
    ratio = statistics.median(ours / theirs for ours, theirs in zip(caught_up, bare, strict=True))
    print(f"{events} events of {ORDERS} orders of {LINES} lines into {len(VIEWS)} views, median of {ROUNDS} rounds")
    print(f"{'bare read_all':<20}{statistics.median(bare):>8.0f} events/s")
    print(f"{'projector':<20}{statistics.median(caught_up):>8.0f} events/s   ratio {ratio:.2f}")
    for name in seconds[0]:
        cpu = statistics.median(one[name] for one in seconds)
        print(f"  CPU of {name:<12}{cpu:>8.2f} s   {cpu / events * 1e6:>5.0f} us per event")


async def write_log(uri: str, orders: int = ORDERS) -> tuple[int, int]:
    """Appends orders in parallel, each with its later events; returns the number of events and the last position."""
    store = EventStore(uri, retry_timeout=10)
    in_flight = asyncio.Semaphore(64)
    positions: list[int] = []

    async def append(stream: str, revision: int, event: Any) -> None:
        async with in_flight:
            new = CODEC.encode(event, EventMetadata(), event_id(stream, str(revision), "", 0))
            positions.append((await store.append(stream, revision - 1, [new])).position)

    try:
        for wave in _waves(orders):
            await asyncio.gather(*(append(f"order-{event.order_id}", revision, event) for revision, event in wave))
    finally:
        await store.close()
    return len(positions), max(positions)


def _waves(orders: int, size: int = 250) -> Iterator[list[tuple[int, Any]]]:
    """Appends that may be under way together: each wave places orders and appends the next events of the three waves
    before."""
    waves = [range(first, min(first + size, orders)) for first in range(0, orders, size)]
    for number in range(len(waves) + 3):
        for step in range(4):
            if 0 <= number - step < len(waves):
                yield [one for order in waves[number - step] for one in _step(order, step)]


def _step(order: int, step: int) -> list[tuple[int, Any]]:
    order_id, customer_id, at = f"o-{order}", f"c-{order % 700}", _START + timedelta(minutes=order)
    lines = [Line(f"sku-{n}", n + 1, 250, 5, (n + 1) * 250 - 5) for n in range(LINES)]
    total = sum(line.total for line in lines)
    match step:
        case 0:
            count = sum(line.quantity for line in lines)
            return [(0, OrderCreated(order_id, customer_id, "USD", lines, count, total, at, at))]
        case 1:
            return [(1, OrderConfirmed(order_id, customer_id, at))]
        case 2 if order % 10 == 0:
            return [(2, OrderCancelled(order_id, customer_id, "USD", total, at, "changed my mind", at))]
        case 2:
            return [(2, OrderShipped(order_id, customer_id, "DHL", f"JD{order:010}", at))]
        case _:
            return [(3, OrderDelivered(order_id, customer_id, at))] if order % 10 > 6 else []


async def _bare_read(uri: str) -> float:
    client = AsyncEventStoreDBClient(uri)
    await client.connect()
    try:
        started = perf_counter()
        async for _event in await client.read_all():
            pass
        return perf_counter() - started
    finally:
        await client.close()


async def _catch_up(
    folder: Path, node: Service, read_store: ReadStoreServer, database: str, last: int
) -> tuple[float, dict[str, float]]:
    settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri, "mongo_database": database}
    store = ReadStore(read_store.uri, database)
    before = {"node": cpu_seconds(node), "read store": cpu_seconds(read_store)}
    try:
        async with running("projector", folder, **settings) as projector:
            started = perf_counter()
            before["projector"] = cpu_seconds(projector)
            await _until_reached(store, last)
            taken = perf_counter() - started
            after = {
                "node": cpu_seconds(node),
                "read store": cpu_seconds(read_store),
                "projector": cpu_seconds(projector),
            }
    finally:
        await store.close()
    return taken, {name: after[name] - before[name] for name in after}


async def _until_reached(store: ReadStore, last: int) -> None:
    keys = [f"{view.collection}:1:0" for view in VIEWS]
    async with asyncio.timeout(300):
        while True:
            reached = await store.load(CHECKPOINTS, keys)
            if len(reached) == len(keys) and all(one.position >= last for one in reached.values()):
                return
            await asyncio.sleep(0.02)


def cpu_seconds(process: Any) -> float:
    """CPU seconds that a service or server has used so far; 0 where the system does not tell."""
    return cpu_seconds_of(process._process.pid)


if __name__ == "__main__":
    uvloop.run(run())
