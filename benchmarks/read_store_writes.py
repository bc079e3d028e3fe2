"""What a document costs the embedded read store to write: its fast path against nx-27017 alone (`--plain`).

Both servers run at once and are written to in turns, a thousand documents a call as the projector does: order_details
of nine lines, and order_list with its three indexes, inserted and then replaced three times under the guard. CPU
is the server's own.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from benchmarks.catch_up import cpu_seconds
from infrastructure.read_store import ReadStore, Write
from read_models.model.view import View
from read_models.ordering.order_details import ORDER_DETAILS, DetailLine, OrderDetails
from read_models.ordering.order_list import ORDER_LIST, ListedOrder
from tests.support.read_store import ReadStoreServer

DOCUMENTS = 6_000
LINES = 9
ROUNDS = 3
REPLACEMENTS = 3
FAST, PLAIN = "fast path", "plain"

Figures = dict[tuple[str, str, str], tuple[list[float], list[float]]]


async def run() -> None:
    """Prints CPU and documents per second of both, and how many times less CPU the fast path takes."""
    figures: Figures = {}
    with ExitStack() as stack:
        servers = {}
        for mode in (FAST, PLAIN):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            servers[mode] = ReadStoreServer(folder, *(["--plain"] if mode == PLAIN else []))
            await asyncio.to_thread(servers[mode].start)
            stack.callback(servers[mode].kill)
        for number in range(ROUNDS):
            for mode, server in servers.items():
                for view in (ORDER_DETAILS, ORDER_LIST):
                    await _measure(figures, mode, server, view, f"round_{number}")
    print(f"{DOCUMENTS} documents a round, replaced {REPLACEMENTS} times, median of {ROUNDS} rounds")
    print(f"{'':<28}{FAST:>26}{PLAIN:>26}{'ratio of CPU':>15}")
    for name, work in [(name, work) for mode, name, work in figures if mode == FAST]:
        (cpu, speed), (plain_cpu, plain_speed) = (
            [statistics.median(values) for values in figures[mode, name, work]] for mode in (FAST, PLAIN)
        )
        print(
            f"{name + ', ' + work:<28}{cpu:>8.0f} us {speed:>9.0f} doc/s {plain_cpu:>8.0f} us {plain_speed:>9.0f} doc/s"
            f"{plain_cpu / cpu:>14.1f}"
        )


async def _measure(figures: Figures, mode: str, server: ReadStoreServer, view: View, database: str) -> None:
    store = ReadStore(server.uri, database)
    await store.prepare(view.collection, view.document, view.indexes)
    for turn in range(REPLACEMENTS + 1):
        writes = [_write(view, order, turn) for order in range(DOCUMENTS)]
        cpu, seconds = await _written(store, view, writes, server)
        work = "replaced" if turn else "inserted"
        cpus, speeds = figures.setdefault((mode, view.name, work), ([], []))
        cpus.append(cpu / DOCUMENTS * 1e6)
        speeds.append(DOCUMENTS / seconds)
    await store.close()


async def _written(
    store: ReadStore, view: View, writes: Sequence[Write], server: ReadStoreServer
) -> tuple[float, float]:
    before, started = cpu_seconds(server), perf_counter()
    for start in range(0, len(writes), 1_000):
        assert not await store.write(view.collection, writes[start : start + 1_000])
    return cpu_seconds(server) - before, perf_counter() - started


def _write(view: View, order: int, turn: int) -> Write:
    order_id, customer_id, at = f"o-{order}", f"c-{order % 700}", 1_767_225_600_000 + order
    status, position = ("confirmed" if turn else "pending"), 1_000_000 + order * 1_000
    lines = [DetailLine(f"sku-{n}", n + 1, 250, 5, (n + 1) * 250 - 5) for n in range(LINES)]
    total = sum(line.total for line in lines)
    document: msgspec.Struct
    if view is ORDER_DETAILS:
        document = OrderDetails(order_id, customer_id, "USD", status, total, 45, lines, at, at, at, turn, position)
    else:
        document = ListedOrder(order_id, customer_id, status, "USD", total, 45, at, at, at, turn, position)
    return Write(order_id, position + turn, msgspec.to_builtins(document), new=not turn)


if __name__ == "__main__":
    uvloop.run(run())
