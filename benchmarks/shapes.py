"""`eventfold up` with a process for each service against `--single-process`: start, memory, commands a second.

Each shape starts on an empty data directory, in turns. The start runs from the creation of `eventfold up` until it says
that all is ready. Memory is the proportional set size (PSS), which counts what processes share once: of `up` itself,
the node and the services; the stand-ins for MongoDB, the payment provider and the mail server are the same in both
shapes and are shown apart. Commands are PlaceOrder of one line, 16 in flight, while views, consumers and sagas follow.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import msgspec
import uvloop

from benchmarks.http_load import load, request
from domain.ordering.commands import OrderLine, PlaceOrder
from embedded.supervisor.run_directory import RunDirectory
from infrastructure.settings import PREFIX
from tests.support.services import ROOT

SHAPES = {"many processes": (), "one process": ("--single-process",)}
STAND_INS = {"read-store", "payment-provider", "mail-sink"}
ROUNDS = 3
IN_FLIGHT, COMMANDS = 16, 1_000
BODY = msgspec.json.encode(PlaceOrder("customer-1", "USD", [OrderLine("sku-1", 1, 250, 5)]))


class Figures(msgspec.Struct):
    """Of one run: seconds, MiB after the start and after the load, responses a second, how many of these were a 503
    (the event store did not answer in time, on a machine that is too busy), and how many processes."""

    start: float
    idle: float
    loaded: float
    stand_ins: float
    per_second: float
    refused: float
    processes: int


async def run() -> None:
    """Prints each figure of both shapes, as medians, and the ratio of each pair."""
    found: dict[str, list[Figures]] = {shape: [] for shape in SHAPES}
    for _ in range(ROUNDS):
        for shape, options in SHAPES.items():
            with tempfile.TemporaryDirectory() as folder:
                found[shape].append(await _measured(Path(folder), options))
    many, one = found.values()
    print(f"our processes, with `up` itself: {many[0].processes} and {one[0].processes}")
    for what, field, unit in (
        ("ready after", "start", "s"),
        ("memory when ready", "idle", "MiB"),
        ("memory after the load", "loaded", "MiB"),
        ("the stand-ins' memory", "stand_ins", "MiB"),
        ("commands", "per_second", "/s"),
        ("of these refused with 503", "refused", ""),
    ):
        split, single = ([getattr(figures, field) for figures in runs] for runs in (many, one))
        ratio = statistics.median(b / a if a else 1 for a, b in zip(split, single, strict=True))
        print(
            f"{what}: {statistics.median(split):.1f} {unit} in many processes, {statistics.median(single):.1f} {unit} "
            f"in one, ratio {ratio:.2f}"
        )


async def _measured(data_dir: Path, options: tuple[str, ...]) -> Figures:
    began = perf_counter()
    async with _up(data_dir, options) as process:
        start = perf_counter() - began
        services = RunDirectory(data_dir).read_services()
        ours = {entry.pid for name, entry in services.items() if name not in STAND_INS} | {process.pid}
        others = {entry.pid for name, entry in services.items() if name in STAND_INS}
        idle = _memory(ours)
        port = urlsplit(services["command-api"].url).port or 0
        result = await load(
            "127.0.0.1",
            port,
            lambda _number: request("PUT", f"/orders/{uuid.uuid4()}", f"127.0.0.1:{port}", body=BODY),
            connections=IN_FLIGHT,
            requests=COMMANDS,
        )
        if not set(result.statuses) <= {201, 503}:
            raise RuntimeError(f"responses other than 201 and 503: {result.statuses}")
        refused = float(result.statuses.get(503, 0))
        return Figures(start, idle, _memory(ours), _memory(others), result.per_second, refused, len(ours))


@asynccontextmanager
async def _up(data_dir: Path, options: tuple[str, ...]) -> AsyncIterator[Process]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    command = ["up", "--no-auth", "--free-ports", "--data-dir", str(data_dir), *options]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "ops.cli", *command], stdout=PIPE, cwd=ROOT, env=environ
    )
    try:
        assert process.stdout is not None
        while b"are ready" not in (line := await process.stdout.readline()):
            if not line:
                raise RuntimeError("it ended before it was ready")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _memory(pids: set[int | None] | set[int]) -> float:
    """The PSS of these processes, in MiB; on Linux."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


if __name__ == "__main__":
    uvloop.run(run())
