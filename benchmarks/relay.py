"""The event relay to Kafka and to RabbitMQ, beside a bare producer of the same client: events/s, and latency.

A log of stock deliveries over 200 articles is there already. The relay, a process of its own, is started with a
destination that has had nothing of it, and the time from the first event at the broker to the last one counts. The
bare producer is given the same events ready-made, and sends them as fast as the broker confirms them. Both are done in
turns; a ratio is taken within one round. For the latency, orders are placed over HTTP at a fixed rate: it is the time
from the command's acknowledgement to the event in the hands of a consumer.

`python -m benchmarks.relay [kafka | rabbitmq] [EVENTS ROUNDS]`; a broker that is not installed is passed over.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
import uvloop

from benchmarks.commands import COMMAND
from benchmarks.relay_brokers import BenchedKafka, BenchedRabbitMq, broker_of
from infrastructure.integration.cloud_event import CloudEvent
from tests.support.read_store import ReadStoreServer
from tests.support.services import node_uri, running, service, start_node, until
from tests.support.stock_log import published, write_stock_log

EVENTS, KEYS = 20_000, 200
ROUNDS = 3
RATE, SECONDS = 40.0, 15.0
CONCURRENCY = 200


async def run(kinds: Sequence[str] = ("kafka", "rabbitmq"), count: int = EVENTS, rounds: int = ROUNDS) -> None:
    """Prints the rates, their ratio and the latencies of each broker."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        stores = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri}
        await write_stock_log(node_uri(node.port), count, KEYS)
        events = await published(node_uri(node.port))
        for kind in kinds:
            broker = broker_of(kind, folder)
            if broker is None:
                print(f"{kind}: is not installed")
                continue
            try:
                await asyncio.to_thread(broker.start)
                await _throughput(broker, stores, events, folder, rounds)
                await _latency(broker, stores, folder)
            finally:
                await broker.close()
                broker.end()


async def _throughput(
    broker: BenchedKafka | BenchedRabbitMq,
    stores: Mapping[str, str],
    events: list[CloudEvent],
    folder: Path,
    rounds: int,
) -> None:
    relayed, bare = [], []
    for _ in range(rounds):
        target = await broker.target()
        relayed.append(await _relay_rate(broker, target, stores, folder, len(events)))
        target = await broker.target()
        began = perf_counter()
        await broker.send(target, events)
        bare.append(len(events) / (perf_counter() - began))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(relayed, bare, strict=True))
    rates = [", ".join(f"{rate:.0f}" for rate in sorted(found)) for found in (relayed, bare)]
    print(f"{broker.name}: relay {rates[0]} events/s; bare producer {rates[1]}; median of the ratios {ratio:.2f}")


async def _relay_rate(
    broker: BenchedKafka | BenchedRabbitMq, target: str, stores: Mapping[str, str], folder: Path, total: int
) -> float:
    relay = service("event_relay", folder, **stores, relay_destinations=_file(broker, target, folder, "inventory.*"))
    await relay.start()

    async def begun() -> bool:
        assert relay.running, relay.log.read_text()[-3000:]
        return await broker.count(target) > 0

    async def done() -> bool:
        await asyncio.sleep(0.05)  # to ask all the time would take the processor from those that are measured
        return await broker.count(target) >= total

    try:
        await until(begun, "the first event is there", 120)
        before, began = await broker.count(target), perf_counter()
        await until(done, "all events are there", 600)
        return (total - before) / (perf_counter() - began)
    finally:
        await relay.stop()


async def _latency(broker: BenchedKafka | BenchedRabbitMq, stores: Mapping[str, str], folder: Path) -> None:
    target = await broker.target()
    destinations = _file(broker, target, folder, "ordering.*")
    body = msgspec.json.encode(COMMAND)
    acknowledged: dict[str, float] = {}
    async with (
        running("command_api", folder, **stores) as api,
        running("event_relay", folder, "/health/ready", **stores, relay_destinations=destinations),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        broker.arrivals(target) as arrived,
    ):

        async def place() -> None:
            order = str(uuid.uuid4())
            headers = {"Content-Type": "application/json"}
            async with http.put(f"{api.url}/orders/{order}", data=body, headers=headers) as response:
                response.raise_for_status()
            acknowledged[order] = perf_counter()

        async def all_there() -> bool:
            return acknowledged.keys() <= arrived.keys()

        await place()  # the relay passes over the whole log first
        await until(all_there, "the first order is there", 120)
        acknowledged.clear()
        started = perf_counter()
        async with asyncio.TaskGroup() as sent:
            for number in range(int(RATE * SECONDS)):
                await asyncio.sleep(max(0.0, started + number / RATE - perf_counter()))
                sent.create_task(place())
        await until(all_there, "all orders are there", 120)
    found = sorted(arrived[order] - at for order, at in acknowledged.items())
    p50, p99 = (found[int(len(found) * fraction)] * 1000 for fraction in (0.50, 0.99))
    print(f"{broker.name}: at {RATE:.0f} commands/s, from acknowledged to delivered p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def _file(broker: BenchedKafka | BenchedRabbitMq, target: str, folder: Path, types: str) -> str:
    """A destination that nothing has gone to yet: its name is new."""
    name = f"b{uuid.uuid4().hex[:8]}"
    one = {"name": name, "types": [types], "concurrency": CONCURRENCY, **broker.destination(target, folder)}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"destinations": [one]}))
    return str(path)


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:] if one.isdecimal()]
    kinds = [one for one in sys.argv[1:] if not one.isdecimal()]
    uvloop.run(run(kinds or ("kafka", "rabbitmq"), *numbers))
