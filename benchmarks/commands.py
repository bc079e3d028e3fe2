"""Commands over HTTP against bare appends of the same events by AsyncEventStoreDBClient, on the same node, in turns.

Every command is a PlaceOrder of ten lines for a new order; the bare client appends the same OrderCreated event, with
the same metadata, as the command. Both are durable when the response comes (synchronous=FULL).
"""

import asyncio
import statistics
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState

from application import APPLICATION
from benchmarks.http_load import load, request
from domain.model.command_context import CommandContext
from domain.ordering.aggregate import ORDER
from domain.ordering.commands import OrderLine, PlaceOrder
from infrastructure.clock import utc_now
from infrastructure.event_codec import EventCodec, EventMetadata
from tests.support.services import Service, node_uri, running, start_node

CODEC = EventCodec(APPLICATION.aggregates)
ROUNDS = 5
REQUESTS = {1: 1_000, 16: 4_000, 64: 4_000}
COMMAND = PlaceOrder("customer-1", "USD", [OrderLine(f"sku-{n}", n + 1, 250, 5) for n in range(10)])


async def run() -> None:
    """Prints commands per second and the ratio to bare appends, at 1, 16 and 64 in flight."""
    with tempfile.TemporaryDirectory() as folder:
        node = await start_node(Path(folder))
        client = AsyncEventStoreDBClient(node_uri(node.port))
        await client.connect()
        try:
            async with running("command_api", Path(folder), "/health/ready", eventstore_uri=node_uri(node.port)) as api:
                for in_flight in REQUESTS:
                    await _compare(api, client, in_flight)
        finally:
            await client.close()
            await node.kill()


async def _compare(api: Service, client: AsyncEventStoreDBClient, in_flight: int) -> None:
    rates: dict[str, list[float]] = {"over HTTP": [], "bare appends": []}
    latencies: list[tuple[float, float]] = []
    for round_number in range(ROUNDS + 1):
        result = await load(
            "127.0.0.1", api.port, _messages(api.port), connections=in_flight, requests=REQUESTS[in_flight]
        )
        if set(result.statuses) != {201}:
            raise RuntimeError(f"responses other than 201: {result.statuses}")
        bare = await _bare_appends(client, in_flight)
        if round_number > 0:  # the first round warms up
            rates["over HTTP"].append(result.per_second)
            rates["bare appends"].append(bare)
            latencies.append((result.percentile(50) * 1000, result.percentile(99) * 1000))
    over_http, bare_appends = (statistics.median(of) for of in rates.values())
    ratio = statistics.median(a / b for a, b in zip(*rates.values(), strict=True))
    p50, p99 = (statistics.median(one) for one in zip(*latencies, strict=True))
    print(
        f"{in_flight:3} in flight: {over_http:6.0f} commands/s (p50 {p50:.1f} ms, p99 {p99:.1f} ms), "
        f"{bare_appends:6.0f} bare appends/s, ratio {ratio:.2f}"
    )


def _messages(port: int) -> "_Messages":
    return _Messages(f"127.0.0.1:{port}", msgspec.json.encode(COMMAND))


class _Messages:
    def __init__(self, host: str, body: bytes) -> None:
        self._host = host
        self._body = body

    def __call__(self, _number: int) -> bytes:
        return request("PUT", f"/orders/{uuid.uuid4()}", self._host, body=self._body)


async def _bare_appends(client: AsyncEventStoreDBClient, in_flight: int) -> float:
    count = REQUESTS[in_flight]
    numbers = iter(range(count))
    started = perf_counter()
    await asyncio.gather(*(_appender(client, numbers) for _ in range(in_flight)))
    return count / (perf_counter() - started)


async def _appender(client: AsyncEventStoreDBClient, numbers: Iterator[int]) -> None:
    for _ in numbers:
        order_id = str(uuid.uuid4())
        (event,) = ORDER.decide(COMMAND, None, CommandContext(order_id, utc_now()))
        command_id = str(uuid.uuid4())
        metadata = EventMetadata(
            command_id=command_id, correlation_id=command_id, causation_id=command_id, actor="anonymous"
        )
        ours = CODEC.encode(event, metadata, str(uuid.uuid4()))
        theirs = NewEvent(type=ours.type, data=ours.data, metadata=ours.metadata)
        await client.append_to_stream(f"order-{order_id}", current_version=StreamState.NO_STREAM, events=[theirs])


if __name__ == "__main__":
    uvloop.run(run())
