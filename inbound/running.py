"""The sources of one process: run until it stops; what is found out of each, for operators and for /metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar

from inbound import metrics
from inbound.dead_letters import DeadLetterStore
from inbound.gates import Gates
from inbound.handling import Handler
from inbound.inbox import Inbox
from inbound.sources import Source
from infrastructure.clock import now_millis
from infrastructure.http.health import Dependency, Probe
from infrastructure.http.service import Lifespan
from infrastructure.inbound.messages import MessageSource
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import backoff

_DAY = 86_400_000
_FORGET_EVERY = 3_600.0


class SourceAway(Exception):
    """Messages of a source can't come."""


class RunningSource:
    """One source in this process."""

    def __init__(self, source: Source, handler: Handler, wire: MessageSource) -> None:
        self.source = source
        self.handler = handler
        self.wire = wire

    @property
    def trouble(self) -> str | None:
        """Why messages do not come, or wait; None where they do."""
        return self.wire.trouble or self.handler.trouble

    def dependency(self) -> Dependency:
        """The broker, for /health/ready: the others are served without it."""

        async def probe() -> None:
            if self.wire.trouble is not None:
                raise SourceAway(self.wire.trouble)

        return Dependency(probe, required=False)


class Looking:
    """What is looked up now and then of every source."""

    def __init__(self, running: Sequence[RunningSource], inbox: Inbox, dead_letters: DeadLetterStore) -> None:
        self._running = running
        self._inbox = inbox
        self._dead_letters = dead_letters
        self._forgot_at = float("-inf")

    async def look(self) -> None:
        """Raises what the store raises."""
        for one in self._running:
            name = one.source.consumer
            metrics.CONNECTED.labels(name).set(one.wire.trouble is None)
            metrics.LAG.labels(name).set(-1 if one.wire.lag is None else one.wire.lag)
            metrics.OPEN.labels(name).set(await self._dead_letters.count(one.source.consumer))
        if time.monotonic() - self._forgot_at >= _FORGET_EVERY:
            self._forgot_at = time.monotonic()
            for one in self._running:
                await self._inbox.forget(one.source.name, now_millis() - one.source.limits.remember_days * _DAY)


def consuming(
    running: Sequence[RunningSource],
    inbox: Inbox,
    gates: Gates,
    dead_letters: DeadLetterStore,
    grace: float,
    *closers: Callable[[], Awaitable[None]],
) -> tuple[Lifespan, Probe]:
    """A lifespan in which the sources are consumed, once the records can be stored; and whether that is so."""
    prepared = asyncio.Event()
    stop = asyncio.Event()

    async def prepare() -> None:
        delays = backoff()
        while not stop.is_set():
            try:
                for one in (inbox, gates, dead_letters):
                    await one.prepare()
            except (ReadStoreUnavailable, ReadStoreRefused):
                await asyncio.sleep(next(delays))
            else:
                prepared.set()
                return

    async def run() -> None:
        await prepare()
        await asyncio.gather(*(one.wire.run(stop) for one in running))

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(run())
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=grace + 5.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for close in closers:
                await close()

    async def probe() -> None:
        if not prepared.is_set():
            raise SourceAway("the read store has yet to take our records")

    return lifespan, probe
