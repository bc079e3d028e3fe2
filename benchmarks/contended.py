"""Orders that reserve one article at once: with turns, and without, from the same node, one after the other."""

import asyncio
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import uvloop
from msgspec import Struct

from command_api import turns
from command_api.aggregates import Aggregates
from command_api.pipeline import Contended, Pipeline
from command_api.requests import CommandRequest
from domain.inventory.aggregate import STOCK
from domain.inventory.commands import ReceiveStock, ReserveStock
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from tests.support.services import node_uri, start_node

AT_ONCE = (10, 50, 200)
ROUNDS = 3
CODEC = EventCodec((STOCK,))
RETRIES = 5
MOST_WAITING = {"with": turns._MOST_WAITING, "without": 0}


async def run() -> None:
    """Prints the seconds until every order has its part, how often one was told to come back, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        node = await start_node(Path(folder))
        store = EventStore(node_uri(node.port))
        try:
            for orders in AT_ONCE:
                await _compare(store, orders)
        finally:
            await store.close()
            await node.kill()


async def _compare(store: EventStore, orders: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in MOST_WAITING}
    refused: dict[str, list[int]] = {name: [] for name in MOST_WAITING}
    for _ in range(ROUNDS):
        for name, most_waiting in MOST_WAITING.items():
            turns._MOST_WAITING = most_waiting
            took, told_to_come_back = await _reserve(store, orders)
            seconds[name].append(took)
            refused[name].append(told_to_come_back)
    with_turns, without = (statistics.median(seconds[name]) for name in ("with", "without"))
    print(
        f"{orders:3} orders: {with_turns:5.2f} s with turns ({statistics.median(refused['with']):.0f} contended), "
        f"{without:5.2f} s without ({statistics.median(refused['without']):.0f}), ratio {without / with_turns:.1f}"
    )


async def _reserve(store: EventStore, orders: int) -> tuple[float, int]:
    pipeline = Pipeline(store, CODEC, Aggregates(store, CODEC, 100), RETRIES)
    article, contended = f"sku-{uuid4()}", 0
    await _send(pipeline, article, "receive", ReceiveStock(orders))

    async def reserve(number: int) -> None:
        nonlocal contended
        while True:
            try:
                await _send(pipeline, article, "reserve", ReserveStock(f"o-{number}", 1))
            except Contended:
                contended += 1
            else:
                return

    started = perf_counter()
    await asyncio.gather(*(reserve(number) for number in range(orders)))
    return perf_counter() - started, contended


async def _send(pipeline: Pipeline, article: str, action: str, command: Struct) -> None:
    (command_type,) = (one for one in STOCK.commands if one.action == action)
    key = str(uuid4())
    await pipeline.handle(STOCK, command_type, CommandRequest(article, command, key, True, key, None, key, "benchmark"))


if __name__ == "__main__":
    uvloop.run(run())
