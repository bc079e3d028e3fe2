"""Durable appends of the embedded node against the same servicer with storage off, in turns.

Every append is one event of 200 bytes. Node and bare server are processes of their own; the client shares the machine
with them. Appends by the generated stub and by AsyncEventStoreDBClient are one BatchAppend call each; multiplexed ones
share one call. Idle subscribers follow streams that nothing is written to; deaf ones follow `$all` with a filter that
no event passes.
"""

import asyncio
import os
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import grpc.aio
import uvloop
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.protos.Grpc import shared_pb2, streams_pb2
from google.protobuf import empty_pb2

from benchmarks.servers import Server, bare_node, node, streams
from benchmarks.turns import Measure, compare

ROUNDS = 9
IN_FLIGHT = 64
APPENDS = 2_000
MULTIPLEXED_IN_FLIGHT = 256
MULTIPLEXED_APPENDS = 4_000
SUBSCRIBERS = 50
DATA = os.urandom(100).hex().encode()

ReadOptions = streams_pb2.ReadReq.Options


async def run() -> None:
    """Prints appends per second of both, and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        async with bare_node() as bare, node(Path(folder)) as durable:
            await _compare(f"stub, {IN_FLIGHT} in flight", by_stub, APPENDS, durable, bare)
            name = f"AsyncEventStoreDBClient, {IN_FLIGHT} in flight"
            by_library = await _compare(name, by_client, APPENDS, durable, bare)
            name = f"one call, {MULTIPLEXED_IN_FLIGHT} in flight"
            multiplexed = await _compare(name, by_one_call, MULTIPLEXED_APPENDS, durable, bare)
            print(f"{'multiplexed / AsyncEventStoreDBClient':<40}{multiplexed / by_library:>6.2f} times as many")
            await _compare_subscribers("idle", durable, _idle)
            await _compare_subscribers("deaf", durable, _deaf)


async def _compare(name: str, measure: Measure, count: int, durable: Server, bare: Server) -> float:
    return await compare(
        name, measure, count, durable, bare, unit="durable", of_ceiling="with storage off", rounds=ROUNDS
    )


async def by_stub(server: Server) -> float:
    """Appends per second by the generated stub, one call each."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = streams(channel)

        async def append(stream: str) -> None:
            call = stub.BatchAppend(iter((_request(stream),)))
            response = await call.read()
            if response.WhichOneof("result") != "success":
                raise RuntimeError(f"an append failed: {response}")
            call.cancel()  # as the client library does

        return await _appends_per_second(append)


async def by_client(server: Server) -> float:
    """Appends per second by the client library."""
    client = AsyncEventStoreDBClient(server.uri)
    await client.connect()
    try:

        async def append(stream: str) -> None:
            await client.append_to_stream(stream, current_version=StreamState.ANY, events=[NewEvent("Type", DATA)])

        return await _appends_per_second(append)
    finally:
        await client.close()


async def _appends_per_second(append: Callable[[str], Awaitable[None]]) -> float:
    numbers = iter(range(APPENDS))
    run_id = uuid.uuid4()

    async def work(own: Iterator[int], stream: str) -> None:
        for _ in own:
            await append(stream)

    started = perf_counter()
    await asyncio.gather(*(work(numbers, f"{run_id}-{n}") for n in range(IN_FLIGHT)))
    return APPENDS / (perf_counter() - started)


async def by_one_call(server: Server) -> float:
    """Appends per second when all share one BatchAppend call."""
    room = asyncio.Semaphore(MULTIPLEXED_IN_FLIGHT)
    run_id = uuid.uuid4()

    async def requests() -> AsyncIterator[streams_pb2.BatchAppendReq]:
        for number in range(MULTIPLEXED_APPENDS):
            await room.acquire()
            yield _request(f"{run_id}-{number % IN_FLIGHT}")

    async with grpc.aio.insecure_channel(server.target) as channel:
        started = perf_counter()
        responses = 0
        async for response in streams(channel).BatchAppend(requests()):
            if response.WhichOneof("result") != "success":
                raise RuntimeError(f"an append failed: {response}")
            responses += 1
            room.release()
        assert responses == MULTIPLEXED_APPENDS
        return MULTIPLEXED_APPENDS / (perf_counter() - started)


def _request(stream: str) -> streams_pb2.BatchAppendReq:
    return streams_pb2.BatchAppendReq(
        correlation_id=shared_pb2.UUID(string=str(uuid.uuid4())),
        options=streams_pb2.BatchAppendReq.Options(
            stream_identifier=shared_pb2.StreamIdentifier(stream_name=stream.encode()), any=empty_pb2.Empty()
        ),
        proposed_messages=[
            streams_pb2.BatchAppendReq.ProposedMessage(
                id=shared_pb2.UUID(string=str(uuid.uuid4())),
                metadata={"type": "Type", "content-type": "application/json"},
                data=DATA,
            )
        ],
        is_final=True,
    )


# Subscribers


async def _compare_subscribers(name: str, server: Server, options: Callable[[int], ReadOptions]) -> None:
    without, beside = [], []
    for round_number in range(ROUNDS + 1):
        alone = await by_client(server)
        async with _subscribed(server, options):
            rate = await by_client(server)
        if round_number > 0:
            without.append(alone)
            beside.append(rate)
    ratio = statistics.median(a / b for a, b in zip(beside, without, strict=True))
    print(
        f"beside {SUBSCRIBERS} {name} subscribers{'':<17}{statistics.median(beside):>7.0f} beside,"
        f"  {statistics.median(without):>7.0f} alone,            ratio {ratio:.2f}"
    )


@asynccontextmanager
async def _subscribed(server: Server, options: Callable[[int], ReadOptions]) -> AsyncIterator[None]:
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = streams(channel)
        calls = [stub.Read(streams_pb2.ReadReq(options=options(number))) for number in range(SUBSCRIBERS)]
        for call in calls:
            await call.read()
        drains = [asyncio.create_task(_drain(call)) for call in calls]
        yield
        for drain in drains:
            drain.cancel()
        await asyncio.gather(*drains, return_exceptions=True)


async def _drain(call: AsyncIterator[streams_pb2.ReadResp]) -> None:
    async for _ in call:
        pass


def _idle(number: int) -> ReadOptions:
    identifier = shared_pb2.StreamIdentifier(stream_name=f"idle-{number}".encode())
    return ReadOptions(
        stream=ReadOptions.StreamOptions(stream_identifier=identifier, end=shared_pb2.Empty()),
        subscription=ReadOptions.SubscriptionOptions(),
        no_filter=shared_pb2.Empty(),
        uuid_option=ReadOptions.UUIDOption(string=shared_pb2.Empty()),
    )


def _deaf(_number: int) -> ReadOptions:
    nothing = ReadOptions.FilterOptions.Expression(prefix=["Nothing"])
    return ReadOptions(
        all=ReadOptions.AllOptions(end=shared_pb2.Empty()),
        subscription=ReadOptions.SubscriptionOptions(),
        filter=ReadOptions.FilterOptions(event_type=nothing, max=1000, checkpointIntervalMultiplier=5),
        uuid_option=ReadOptions.UUIDOption(string=shared_pb2.Empty()),
    )


if __name__ == "__main__":
    uvloop.run(run())
