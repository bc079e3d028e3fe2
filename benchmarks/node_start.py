"""Start of the embedded node on a log of 2 million events, reads from its middle, and the memory that it holds.

The log is made through the storage layer. Every start is a process of its own; seconds run from its creation to the
line that says it is ready. An empty log is started in turns with it: most of the time is Python's own.
"""

import asyncio
import random
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import uvloop
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState

from benchmarks.node_log import make_log, stream_name
from benchmarks.servers import Server, node

EVENTS = 2_000_000
STREAMS = 200_000
ROUNDS = 3
READS = 200


async def run() -> None:
    """Prints seconds to ready, milliseconds to first events, and the resident memory."""
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder) / "full", Path(folder) / "empty"
        began = perf_counter()
        await asyncio.to_thread(make_log, full, EVENTS, STREAMS)
        size = (full / "events.db").stat().st_size / 2**20
        print(f"{EVENTS} events in {STREAMS} streams, {size:.0f} MiB, made in {perf_counter() - began:.0f} s")
        starts: dict[Path, list[float]] = {full: [], empty: []}
        for _ in range(ROUNDS):
            for directory, seconds in starts.items():
                began = perf_counter()
                async with node(directory):
                    seconds.append(perf_counter() - began)
        print(
            f"ready after {statistics.median(starts[full]):.2f} s (aim: under 3 s),"
            f" on an empty log {statistics.median(starts[empty]):.2f} s"
        )
        async with node(full) as server:
            await _read(server)


async def _read(server: Server) -> None:
    at_start = await server.memory_mib()
    client = AsyncEventStoreDBClient(server.uri)
    await client.connect()
    began = perf_counter()
    end = await client.get_commit_position()
    print(f"first call after the start: {(perf_counter() - began) * 1000:.1f} ms")
    began = perf_counter()
    assert [event async for event in await client.read_all(commit_position=end // 2, limit=1000)]
    print(f"first 1,000 events from the middle of $all: {(perf_counter() - began) * 1000:.1f} ms")
    randomness = random.Random(2)
    times = []
    for _ in range(READS):
        began = perf_counter()
        assert len(await client.get_stream(stream_name(randomness.randrange(STREAMS)))) == EVENTS // STREAMS
        times.append((perf_counter() - began) * 1000)
    _report("a stream somewhere", times)
    times = []
    for _ in range(READS):
        began = perf_counter()
        stream = stream_name(randomness.randrange(STREAMS))
        await client.append_to_stream(stream, current_version=StreamState.EXISTS, events=[NewEvent("Type", b"{}")])
        times.append((perf_counter() - began) * 1000)
    _report("an append somewhere", times)
    count = 0
    async for _ in await client.read_all(limit=200_000):
        count += 1
    after = await server.memory_mib()
    print(f"memory {at_start:.0f} MiB after the start, {after:.0f} MiB after {count} events (aim: under 300 MiB)")
    await client.close()


def _report(what: str, times: list[float]) -> None:
    print(f"{what}: p50 {statistics.median(times):.1f} ms, p99 {statistics.quantiles(times, n=100)[98]:.1f} ms")


if __name__ == "__main__":
    uvloop.run(run())
