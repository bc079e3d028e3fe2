"""`eventfold views verify --all` beside `views rebuild --all` of the same views, over a log of retail baskets.

Node, read store and projector are processes of their own; both commands are run as a user runs them, in turns. Peak
memory is the verifying process's. `python -m benchmarks.verification 155848` takes the whole set (`make data`); with
`--folder DIR` the stores stay there, and a second run with the same folder does not write the log again.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from application import APPLICATION
from benchmarks.basket_log import write_basket_log
from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.event_store import EventStore
from infrastructure.read_store import ReadStore
from infrastructure.view_registry import ViewRegistry
from tests.support.read_store import ReadStoreServer
from tests.support.services import ROOT, node_uri, running, start_node, until

BASKETS = 1_000
ROUNDS = 2


async def run(baskets: int = BASKETS, folder: Path | None = None, rounds: int = ROUNDS) -> None:
    """Prints seconds of both, their ratio, and the most memory that verifying took."""
    async with AsyncExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        written = folder / f"baskets-{baskets}"
        if not await asyncio.to_thread(written.exists):
            await write_basket_log(node_uri(node.port), baskets)
            await asyncio.to_thread(written.touch)
        settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri, "view_grace": "1"}
        projector = await stack.enter_async_context(running("projector", folder, "/health/live", **settings))
        await _caught_up(node_uri(node.port), read_store.uri)
        environ = {f"EVENTFOLD_{name.upper()}": value for name, value in settings.items()}
        rebuilds, verifies, memory = [], [], []
        documents = 0
        for _ in range(rounds):
            seconds, _, _ = await _command(environ, "rebuild", "--all", "--projector", projector.url)
            rebuilds.append(seconds)
            seconds, mib, output = await _command(environ, "verify", "--all", "--json", "--data-dir", str(folder))
            verifies.append(seconds)
            memory.append(mib)
            documents = sum(one["equal"] for one in msgspec.json.decode(output))
        ratio = statistics.median(verify / rebuild for verify, rebuild in zip(verifies, rebuilds, strict=True))
        print(f"{baskets:,} baskets, {documents:,} documents equal, median of {rounds} rounds")
        print(f"rebuild --all {statistics.median(rebuilds):.1f} s, verify --all {statistics.median(verifies):.1f} s")
        print(f"ratio {ratio:.2f}; most memory of verify {max(memory):.0f} MiB")


async def _caught_up(uri: str, read_store_uri: str) -> None:
    log, store = EventStore(uri), ReadStore(read_store_uri, "eventfold")
    try:
        end = await log.last_position()
        assert end is not None

        async def level() -> bool:
            records = await ViewRegistry(store).load([view.name for view in APPLICATION.views])
            keys = [key for record in records.values() for key in record.target(record.live).keys]
            found = await store.load(CHECKPOINTS, keys)
            everything = len(records) == len(APPLICATION.views) and len(found) == len(keys)
            return everything and all(one.position >= end for one in found.values())

        await until(level, "the views have caught up", 1800)
    finally:
        await log.close()
        await store.close()


async def _command(environ: dict[str, str], *arguments: str) -> tuple[float, float, bytes]:
    """Runs `eventfold views ...`; its seconds, its most memory in MiB, and its output. Raises when it fails."""

    def finished() -> tuple[float, float, bytes]:
        started = perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "ops.cli", "views", *arguments],
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            cwd=os.environ.get("BENCHMARK_CHECKOUT", ROOT),
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"views {' '.join(arguments)}: exit status {os.waitstatus_to_exitcode(status)}")
        return perf_counter() - started, usage.ru_maxrss / 1024, output

    return await asyncio.to_thread(finished)


def main() -> None:
    """The benchmark with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("baskets", type=int, nargs="?", default=BASKETS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    uvloop.run(run(arguments.baskets, arguments.folder, arguments.rounds))


if __name__ == "__main__":
    main()
