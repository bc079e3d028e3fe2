"""What 800 slow sockets do to the commands of other clients: p99 during the attack over p99 without, and memory.

Each slow socket sends one header line every 4 seconds and connects again when it is closed, as an attacker would.
Commands are PlaceOrders, 16 in flight. Rounds without and with the attack take turns on the same command API.
"""

import asyncio
import statistics
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from benchmarks.commands import COMMAND
from benchmarks.http_load import LoadResult, load, request
from tests.support.services import Service, node_uri, running, start_node

SOCKETS = 800
LINE_EVERY = 4.0
ROUNDS = 5
IN_FLIGHT = 16
REQUESTS = 2_000
# After the last round: long enough for every first socket to have come to the head's timeout.
HOLD_SECONDS = 30.0


async def run() -> None:
    """Prints the latencies, their ratio, what became of the slow sockets, and the command API's memory."""
    with tempfile.TemporaryDirectory() as folder:
        node = await start_node(Path(folder))
        try:
            # On a busy machine the load itself may pause for longer than connections are kept open.
            given = {"eventstore_uri": node_uri(node.port), "http_idle_timeout": "60"}
            async with running("command_api", Path(folder), "/health/ready", **given) as api:
                await _compare(api)
        finally:
            await node.kill()


async def _compare(api: Service) -> None:
    await _commands(api)  # warms up
    before = _memory_mib(api)
    quiet, attacked = [], []
    attack = _Attack(api.port)
    for _ in range(ROUNDS):
        quiet.append(await _commands(api))
        async with attack.under_way():
            attacked.append(await _commands(api))
    async with attack.under_way():
        await asyncio.sleep(HOLD_SECONDS)
        during = _memory_mib(api)
    for name, results in (("without", quiet), ("during", attacked)):
        p50, p99 = (statistics.median(one.percentile(of) * 1000 for one in results) for of in (50, 99))
        rate = statistics.median(one.per_second for one in results)
        print(f"{name:8} {rate:6.0f} commands/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    ratio = statistics.median(a.percentile(99) / q.percentile(99) for a, q in zip(attacked, quiet, strict=True))
    longest = f"{attack.longest:.1f} s" if attack.longest else "none was closed"
    print(f"p99 during over without: {ratio:.2f}; of {SOCKETS} slow sockets the longest lived {longest}")
    print(f"responses to them: {dict(attack.statuses)}; memory {before:.0f} MiB before, {during:.0f} MiB after")


async def _commands(api: Service) -> LoadResult:
    body, host = msgspec.json.encode(COMMAND), f"127.0.0.1:{api.port}"
    result = await load(
        "127.0.0.1",
        api.port,
        lambda _number: request("PUT", f"/orders/{uuid.uuid4()}", host, body=body),
        connections=IN_FLIGHT,
        requests=REQUESTS,
    )
    if set(result.statuses) != {201}:
        raise RuntimeError(f"responses other than 201: {result.statuses}")
    return result


def _memory_mib(api: Service) -> float:
    return int(Path(f"/proc/{api.pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


class _Attack:
    """Slow sockets. `longest` is how long one lived until the server ended it, `statuses` what they were told."""

    def __init__(self, port: int) -> None:
        self.longest = 0.0
        self.statuses: Counter[str] = Counter()
        self._port = port

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """The attack, for the block; all sockets are open when it begins."""
        opened = [asyncio.Event() for _ in range(SOCKETS)]
        slow = [asyncio.create_task(self._slow(number, event)) for number, event in enumerate(opened)]
        try:
            await asyncio.gather(*(event.wait() for event in opened))
            yield
        finally:
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    async def _slow(self, number: int, opened: asyncio.Event) -> None:
        while True:
            with suppress(ConnectionError):
                await self._one(number, opened)

    async def _one(self, number: int, opened: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        began = perf_counter()
        try:
            writer.write(b"GET /health/live HTTP/1.1\r\n")
            opened.set()
            await asyncio.sleep(LINE_EVERY * number / SOCKETS)
            while True:
                writer.write(b"x: y\r\n")
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINE_EVERY):
                        status = (await reader.read(65_536))[9:12].decode()
                        self.statuses[status or "closed"] += 1
                        self.longest = max(self.longest, perf_counter() - began)
                        return
        finally:
            writer.close()


if __name__ == "__main__":
    uvloop.run(run())
