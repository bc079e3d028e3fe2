"""Reads of a stream and of `$all` from the embedded node against the same servicer with its log in memory, in turns.

Both are processes of their own with the same 30,000 events of 200 bytes; what is read is only counted.
"""

import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import grpc.aio
import uvloop
from esdbclient import AsyncEventStoreDBClient
from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from benchmarks.node_log import make_log, stream_name
from benchmarks.servers import Server, bare_node, node, streams

ROUNDS = 9
EVENTS = 30_000
STREAMS = 2
STREAM = stream_name(1)

ReadOptions = streams_pb2.ReadReq.Options
Measure = Callable[[Server], Awaitable[float]]


async def run() -> None:
    """Prints events per second of both, and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        make_log(Path(folder), EVENTS, STREAMS)
        async with bare_node(EVENTS, STREAMS) as bare, node(Path(folder)) as durable:
            await _compare("stub, one stream", stream_by_stub, durable, bare)
            await _compare("stub, $all", all_by_stub, durable, bare)
            await _compare("stub, $all subscription", subscription_by_stub, durable, bare)
            await _compare("AsyncEventStoreDBClient, one stream", stream_by_client, durable, bare)
            await _compare("AsyncEventStoreDBClient, $all", all_by_client, durable, bare)


async def _compare(name: str, measure: Measure, durable: Server, bare: Server) -> None:
    ours, ceiling, cpu = [], [], []
    for round_number in range(ROUNDS + 1):
        in_memory = await measure(bare)
        before = durable.cpu_seconds()
        rate = await measure(durable)
        if round_number > 0:  # the first round warms up
            ceiling.append(in_memory)
            ours.append(rate)
            cpu.append(durable.cpu_seconds() - before)
    ratio = statistics.median(a / b for a, b in zip(ours, ceiling, strict=True))
    count = EVENTS // STREAMS if "one stream" in name else EVENTS
    print(
        f"{name:<38}{statistics.median(ours):>7.0f} events/s, {statistics.median(ceiling):>7.0f} from memory, "
        f"ratio {ratio:.2f} (node's CPU {statistics.median(cpu) / count * 1e6:.0f} us each)"
    )


async def stream_by_stub(server: Server) -> float:
    identifier = shared_pb2.StreamIdentifier(stream_name=STREAM.encode())
    options = _options(stream=ReadOptions.StreamOptions(stream_identifier=identifier, start=shared_pb2.Empty()))
    options.count = 2**63 - 1
    return await _by_stub(server, options, EVENTS // STREAMS)


async def all_by_stub(server: Server) -> float:
    options = _options(all=ReadOptions.AllOptions(start=shared_pb2.Empty()))
    options.count = 2**63 - 1
    return await _by_stub(server, options, EVENTS)


async def subscription_by_stub(server: Server) -> float:
    options = _options(all=ReadOptions.AllOptions(start=shared_pb2.Empty()))
    options.subscription.SetInParent()
    return await _by_stub(server, options, EVENTS)


async def stream_by_client(server: Server) -> float:
    client = AsyncEventStoreDBClient(server.uri)
    await client.connect()
    started = perf_counter()
    events = await client.get_stream(STREAM)
    rate = len(events) / (perf_counter() - started)
    await client.close()
    assert len(events) == EVENTS // STREAMS
    return rate


async def all_by_client(server: Server) -> float:
    client = AsyncEventStoreDBClient(server.uri)
    await client.connect()
    started = perf_counter()
    count = 0
    async for _ in await client.read_all():
        count += 1
    rate = count / (perf_counter() - started)
    await client.close()
    assert count == EVENTS
    return rate


def _options(**what: object) -> ReadOptions:
    return ReadOptions(
        no_filter=shared_pb2.Empty(),
        uuid_option=ReadOptions.UUIDOption(string=shared_pb2.Empty()),
        **what,  # type: ignore[arg-type]
    )


async def _by_stub(server: Server, options: ReadOptions, wanted: int) -> float:
    async with grpc.aio.insecure_channel(server.target) as channel:
        started = perf_counter()
        call = streams(channel).Read(streams_pb2.ReadReq(options=options))
        count = 0
        async for message in call:
            count += message.HasField("event")
            if count == wanted:
                break
        rate = count / (perf_counter() - started)
        call.cancel()
    assert count == wanted
    return rate


if __name__ == "__main__":
    uvloop.run(run())
