"""How long an acknowledged command takes to become visible."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from examples.retail.loading.loader import Acknowledged
from infrastructure.http.client import ServiceClient

EVERY = 10


@dataclass(frozen=True, slots=True)
class LagSample:
    """When a command was acknowledged (monotonic seconds), and how many seconds later a read showed its effect."""

    acknowledged_at: float
    seconds: float


class LagMeter:
    """Reads back every tenth acknowledged command while the load goes on; leaving it as a context manager ends the
    reads that are still under way."""

    def __init__(self, query_api: ServiceClient) -> None:
        self.samples: list[LagSample] = []
        self.failures: list[str] = []
        self._query_api = query_api
        self._acknowledged = 0
        self._reads: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for read in self._reads:
            read.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)

    async def acknowledged(self, command: Acknowledged) -> None:
        """A command was acknowledged just now; does not wait for the read."""
        self._acknowledged += 1
        if self._acknowledged % EVERY == 0:
            read = asyncio.create_task(self._read(command, time.monotonic()))
            self._reads.add(read)
            read.add_done_callback(self._reads.discard)

    async def finish(self) -> None:
        """Wait for the reads under way.

        Raises:
            NoResponse: one had no answer in time.
        """
        await asyncio.gather(*self._reads)

    async def _read(self, command: Acknowledged, acknowledged_at: float) -> None:
        answer = await self._query_api.get(f"/orders/{command.order_id}", at_least=str(command.position))
        if answer.status == 200:
            self.samples.append(LagSample(acknowledged_at, time.monotonic() - acknowledged_at))
        else:
            self.failures.append(f"GET /orders/{command.order_id}?at_least={command.position}: {answer.status}")


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; values must not be empty."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]
