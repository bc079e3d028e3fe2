"""Reads of a stream and of `$all` from the embedded node against the same servicer with its log in memory, in turns.

Both are processes of their own with the same 30,000 events of 200 bytes; what is read is only counted.
"""

import tempfile
from pathlib import Path
from time import perf_counter

import grpc.aio
import uvloop
from esdbclient import AsyncEventStoreDBClient
from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from benchmarks.node_log import make_log, stream_name
from benchmarks.servers import Server, bare_node, node, streams
from benchmarks.turns import Measure, compare

ROUNDS = 9
EVENTS = 30_000
STREAMS = 2
STREAM = stream_name(1)

ReadOptions = streams_pb2.ReadReq.Options


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
    count = EVENTS // STREAMS if measure in (stream_by_stub, stream_by_client) else EVENTS
    await compare(name, measure, count, durable, bare, unit="events/s", of_ceiling="from memory", rounds=ROUNDS)


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


async def _by_stub(server: Server, options: ReadOptions, expected: int) -> float:
    async with grpc.aio.insecure_channel(server.target) as channel:
        started = perf_counter()
        call = streams(channel).Read(streams_pb2.ReadReq(options=options))
        count = 0
        async for message in call:
            count += message.HasField("event")
            if count == expected:
                break
        rate = count / (perf_counter() - started)
        call.cancel()
    assert count == expected
    return rate


if __name__ == "__main__":
    uvloop.run(run())
