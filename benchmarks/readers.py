"""What it costs to receive an event: esdbclient's read_all, the gRPC stub on its channel, and our HTTP/2 reader.

All read the same log of the same node, a process of its own, in turns. CPU is that of the reading process alone:
user and system time of all its threads, grpcio's among them.
"""

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from esdbclient import AsyncEventStoreDBClient

from benchmarks.catch_up import write_log
from infrastructure.event_store import EventStore
from infrastructure.event_store.reader_choice import Reader
from tests.support.services import node_uri, start_node

ORDERS = 10_000  # each with 3.3 events on average
ROUNDS = 5

Read = Callable[[str, int], Awaitable[int]]
"""read(uri, events): reads the whole log; returns how many events came."""


async def run() -> None:
    """Prints events per second and CPU per event of each, and how they compare."""
    readers: dict[str, Read] = {
        "esdbclient read_all": by_client,
        "read_all, grpc": read_all("grpc"),
        "read_all, http2": read_all("http2"),
        "subscription, grpc": subscription("grpc"),
        "subscription, http2": subscription("http2"),
    }
    with tempfile.TemporaryDirectory() as folder:
        node = await start_node(Path(folder))
        try:
            uri = node_uri(node.port)
            events, _ = await write_log(uri, ORDERS)
            measured: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
            for _ in range(ROUNDS):
                for name, read in readers.items():
                    measured[name].append(await _measure(read, uri, events))
        finally:
            await node.kill()
    _report(events, measured)


async def _measure(read: Read, uri: str, events: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    count = await read(uri, events)
    assert count == events
    return time.process_time() - cpu, time.perf_counter() - wall


def _report(events: int, measured: dict[str, list[tuple[float, float]]]) -> None:
    print(f"{events} events, median of {ROUNDS} rounds; ratios to esdbclient's read_all")
    client = next(iter(measured.values()))
    for name, rounds in measured.items():
        cpu = statistics.median(one for one, _ in rounds) / events * 1e6
        speed = events / statistics.median(one for _, one in rounds)
        less = statistics.median(theirs[0] / ours[0] for ours, theirs in zip(rounds, client, strict=True))
        faster = statistics.median(theirs[1] / ours[1] for ours, theirs in zip(rounds, client, strict=True))
        print(f"{name:<22}{speed:>8.0f} events/s   x{faster:<6.2f}{cpu:>6.1f} us CPU per event   1/{less:.1f}")


async def by_client(uri: str, _: int) -> int:
    client = AsyncEventStoreDBClient(uri)
    await client.connect()
    try:
        count = 0
        async for _event in await client.read_all():
            count += 1
        return count
    finally:
        await client.close()


def read_all(reader: Reader) -> Read:
    async def read(uri: str, _: int) -> int:
        store = EventStore(uri, reader=reader)
        try:
            count = 0
            async for _event in store.read_all():
                count += 1
            return count
        finally:
            await store.close()

    return read


def subscription(reader: Reader) -> Read:
    async def read(uri: str, events: int) -> int:
        store = EventStore(uri, reader=reader)
        try:
            count = 0
            async with store.subscribe(None) as batches:
                while count < events:
                    count += len((await batches.next_batch()).events)
            return count
        finally:
            await store.close()

    return read


if __name__ == "__main__":
    uvloop.run(run())
