"""A replay of parked streams whose documents went on meanwhile, on a log and on one ten times as long.

Some orders of one customer have an event that nobody can read, and stand with what follows it among other orders; the
customer and the days of all of them go on. The event is discarded of each stream, so that what stood behind it is
replayed into documents that are further on. Node, read store and projector are processes of their own. Beside it the
time of reading the log once, which is what a replay took without the records of changes.
"""

import asyncio
import random
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import uvloop

from application import APPLICATION
from infrastructure.event_codec import EventCodec, EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent
from tests.support.order_logs import cancelled, created
from tests.support.read_store import ReadStoreServer
from tests.support.services import node_uri, running, start_node

CODEC = EventCodec(APPLICATION.aggregates)
ORDERS = 1_000
STREAMS = 5
VIEW = "customer_summary"


async def run() -> None:
    """Prints the seconds of a replay on both logs and their ratio, and the same of a read of the log."""
    short, read_short = await _replay(ORDERS)
    long, read_long = await _replay(ORDERS * 10)
    print(f"replay of {STREAMS} streams, a log of {ORDERS * 2:,} events: {short * 1000:.0f} ms a stream")
    print(f"the same, a log of {ORDERS * 20:,} events: {long * 1000:.0f} ms a stream; ratio {long / short:.2f}")
    print(f"reading the log: {read_short * 1000:.0f} and {read_long * 1000:.0f} ms; ratio {read_long / read_short:.2f}")


async def _replay(orders: int) -> tuple[float, float]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        log = EventStore(node_uri(node.port), retry_timeout=30)
        stack.push_async_callback(log.close)
        unreadable = await _write(log, orders)
        settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri}
        projector = await stack.enter_async_context(running("projector", folder, "/health/live", **settings))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        await _ask(http, f"{projector.url}/drain?timeout=300", None)
        started = perf_counter()
        for position in unreadable:
            asked = {"consumer": VIEW, "position": position, "reason": "a benchmark"}
            answer = await _ask(http, f"{projector.url}/dead-letters/discard", asked)
            assert answer["remaining"] == 0, answer
        replayed = (perf_counter() - started) / len(unreadable)
        started = perf_counter()
        async for _event in log.read_all():
            pass
        return replayed, perf_counter() - started


async def _ask(http: aiohttp.ClientSession, url: str, body: Any) -> Any:
    async with http.post(url, json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return answer


async def _write(log: EventStore, orders: int) -> list[int]:
    """Appends the orders, in the middle of them those with an event that nobody can read; the positions of these."""
    choose = random.Random(7)
    in_flight = asyncio.Semaphore(64)

    async def place(order: str, customer: str, unreadable: bool) -> None:
        async with in_flight:
            stream = f"order-{order}"
            first = created(order, customer, 100, choose.randrange(9))
            events: list[Any] = [first, NewEvent("", "OrderTeleported", b"{}", b""), cancelled(first)]
            if not unreadable:
                del events[1]
            new = [one if isinstance(one, NewEvent) else CODEC.encode(one, EventMetadata(), "") for one in events]
            named = [
                NewEvent(event_id(stream, str(number), "", 0), one.type, one.data, one.metadata)
                for number, one in enumerate(new)
            ]
            await log.append(stream, NO_STREAM, named)

    async def some(numbers: range) -> None:
        await asyncio.gather(*(place(f"o{number}", f"c{number % 500}", False) for number in numbers))

    await some(range(orders // 2))
    streams = [f"late{number}" for number in range(STREAMS)]
    for order in streams:
        await place(order, "c-late", True)
        await place(f"{order}-next", "c-late", False)
    await some(range(orders // 2, orders))
    return [(await log.read_stream(f"order-{order}"))[1].position for order in streams]


if __name__ == "__main__":
    uvloop.run(run())
