"""How long it takes until the partitions have new owners: when a projector joins, leaves, or is killed.

Four views of four partitions each, with the lease that is set by default. A process joins when it begins to serve HTTP.
One that is killed counts as dead when its lease is over.
"""

import asyncio
import random
import tempfile
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import uvloop

from infrastructure.settings import Settings
from tests.projector.appending import appending
from tests.projector.fleet import Fleet, fleet_over
from tests.support.read_store import ReadStoreDatabase, ReadStoreServer
from tests.support.services import start_node, until

ROUNDS = 5
LEASE = Settings().consumers.lease


async def run() -> None:
    """Prints the median and the longest of each."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        server = ReadStoreServer(folder)
        await asyncio.to_thread(server.start)
        stack.callback(server.kill)
        database = ReadStoreDatabase(server.uri, "takeover")
        given = {"consumer_partitions": "4", "consumer_lease": f"{LEASE:g}"}
        fleet = await stack.enter_async_context(fleet_over(folder, node, database, "a", **given))
        await stack.enter_async_context(appending(fleet.log, random.Random(1), "t"))
        await fleet.shared_out("a")
        joins: list[float] = []
        leaves: list[float] = []
        kills: list[float] = []
        for number in range(ROUNDS):
            for ending in (leaves, kills):
                name = f"b{2 * number + (ending is kills)}"
                await fleet.start(name)
                projector = fleet.projectors[name]
                await until(projector.answers, "the process serves")
                began = perf_counter()
                joins.append(await _since(began, fleet, ["a", name]))
                began = perf_counter()
                await (projector.stop() if ending is leaves else projector.kill())
                ending.append(await _since(began, fleet, ["a"]))
    print(f"lease {LEASE:g} s, {ROUNDS} rounds, seconds (median, longest) until all partitions have living owners:")
    for what, seconds in (("joined", joins), ("left (SIGTERM)", leaves), ("killed (SIGKILL)", kills)):
        print(f"  {what}: {median(seconds):.1f}, {max(seconds):.1f}")


async def _since(began: float, fleet: Fleet, names: Collection[str]) -> float:
    await fleet.shared_out(*names)
    return perf_counter() - began


if __name__ == "__main__":
    uvloop.run(run())
