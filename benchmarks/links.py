"""Commands with links in their events against commands without: command APIs on one node, in turns.

Every command is a PlaceOrder of ten lines for a new order. Three command APIs run: one with links, one without, and one
more with links. What the two equal ones differ by is what this measure can't tell from nothing. Two equal processes can
differ for as long as they live (by where their memory lies), so each set of them gives way to a new one.
"""

import itertools
import statistics
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import uvloop

from benchmarks.commands import COMMAND
from benchmarks.http_load import load, request
from benchmarks.servers import cpu_seconds_of
from tests.support.services import BUNDLED, Service, node_uri, running, start_node

SETS = 6
REQUESTS = {1: 400, 16: 1_500, 64: 1_500}
WITH, WITHOUT, AGAIN = "with", "without", "with, again"
MODULES = {WITH: BUNDLED, WITHOUT: "benchmarks.without_links", AGAIN: BUNDLED}

Figures = dict[tuple[str, int], dict[str, list[float]]]
"""(what is counted, commands in flight) -> by the command API, one value a turn."""


async def run() -> None:
    """Prints what a command costs in each, and the ratios."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            node = await start_node(Path(folder))
            stack.push_async_callback(node.kill)
            for _ in range(SETS):
                await _measure_set(Path(folder), node, figures)
    for (what, in_flight), of in figures.items():
        medians = ", ".join(f"{statistics.median(values):7.0f} {name}" for name, values in of.items())
        print(
            f"{in_flight:3} in flight, {what}: {medians}; with over without {_ratio(of, WITH, WITHOUT):.3f}, "
            f"with over with {_ratio(of, WITH, AGAIN):.3f}"
        )


def _ratio(of: Mapping[str, list[float]], one: str, other: str) -> float:
    return statistics.median(a / b for a, b in zip(of[one], of[other], strict=True))


async def _measure_set(folder: Path, node: Service, figures: Figures) -> None:
    store = {"eventstore_uri": node_uri(node.port)}
    async with AsyncExitStack() as stack:
        apis = {
            name: await stack.enter_async_context(
                running("command_api", folder, "/health/ready", domain=module, **store)
            )
            for name, module in MODULES.items()
        }
        for in_flight, count in REQUESTS.items():
            for api in apis.values():  # each warms up
                await _burst(api, node, in_flight, count // 3)
            # Each comes first, second and third as often as the others.
            for order in itertools.permutations(apis):
                for name in order:
                    for what, value in (await _burst(apis[name], node, in_flight, count)).items():
                        figures.setdefault((what, in_flight), {one: [] for one in apis})[name].append(value)


async def _burst(api: Service, node: Service, in_flight: int, count: int) -> dict[str, float]:
    host, body = f"127.0.0.1:{api.port}", msgspec.json.encode(COMMAND)

    def message(_number: int) -> bytes:
        return request("PUT", f"/orders/{uuid.uuid4()}", host, body=body)

    before = cpu_seconds_of(api.pid) + cpu_seconds_of(node.pid)
    result = await load("127.0.0.1", api.port, message, connections=in_flight, requests=count)
    if set(result.statuses) != {201}:
        raise RuntimeError(f"responses other than 201: {result.statuses}")
    used = cpu_seconds_of(api.pid) + cpu_seconds_of(node.pid) - before
    return {"commands/s": result.per_second, "us of CPU a command": used / count * 1e6}


if __name__ == "__main__":
    uvloop.run(run())
