"""The projector's engine: one subscription to the log, supervised, and every view brought along batch by batch."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

import structlog

from infrastructure.event_store import Batch, EventStoreUnavailable
from infrastructure.resilience import backoff
from projector import metrics
from projector.checkpoints import Checkpoints
from projector.decoding import decode_batch
from projector.errors import Stopping
from projector.patience import Delays, pause
from projector.ports import Batches, EventLog
from projector.projection import Projection

log = structlog.get_logger(__name__)


class Engine:
    """Runs until `stop` is set. `buffer` bounds the events read ahead; `idle_check` is in seconds (see `_next`)."""

    def __init__(
        self,
        event_log: EventLog,
        projections: Sequence[Projection],
        checkpoints: Checkpoints,
        stop: asyncio.Event,
        *,
        buffer: int,
        idle_check: float = 5.0,
        delays: Delays = backoff,
    ) -> None:
        self.projections = projections
        self.connected = False
        self.caught_up = False
        self.trouble: str | None = None
        self._log = event_log
        self._checkpoints = checkpoints
        self._stop = stop
        self._buffer = buffer
        self._idle_check = idle_check
        self._started = False
        self._backoff = delays
        self._delays = delays()

    async def run(self) -> None:
        """Follows the log until `stop` is set; whatever fails is logged and begun again where the views stand."""
        while not self._stop.is_set():
            try:
                await self._follow()
            except Stopping:
                return
            except EventStoreUnavailable as error:
                self._note(error)
                log.warning("the subscription was lost; connecting again", error=str(error))
            except Exception as error:
                self._note(error)
                self._started = False  # what is in memory is not to be trusted after a fault of our own
                log.exception("the projector failed; starting again from the checkpoints")
            if not self._stop.is_set():
                await self._before_reconnecting()

    async def _before_reconnecting(self) -> None:
        metrics.RECONNECTS.inc()
        try:
            await pause(self._stop, next(self._delays))
        except Stopping:
            return

    async def _follow(self) -> None:
        if not self._started:
            await _all(projection.start(self._checkpoints) for projection in self.projections)
            self._started = True
        async with self._log.subscribe(self.lowest_position(), buffer=self._buffer) as subscription:
            self._set_connected(True)
            try:
                while self._running():
                    await self._project(await self._next(subscription))
            finally:
                self._set_connected(False)
        await self._stop.wait()

    async def _project(self, batch: Batch) -> None:
        self.trouble, self._delays = None, self._backoff()
        metrics.BATCH_EVENTS.observe(len(batch.events))
        if batch.position is None:
            return
        decoded = decode_batch(batch)
        behind = [one for one in self._running() if one.position is None or one.position < batch.position]
        await _all(projection.project(decoded) for projection in behind)
        done = [projection for projection in behind if projection.broken is None]
        await self._checkpoints.advance((projection.view for projection in done), batch.position)
        for projection in done:
            projection.arrived(batch.position)
        self.caught_up = batch.caught_up

    def _running(self) -> list[Projection]:
        return [projection for projection in self.projections if projection.broken is None]

    def lowest_position(self) -> int | None:
        """Where a subscription must begin, so that no running view misses an event."""
        positions = [projection.position for projection in self._running()]
        known = [position for position in positions if position is not None]
        return min(known) if known and len(known) == len(positions) else None

    async def _next(self, subscription: Batches) -> Batch:
        """The next batch. After `idle_check` seconds without one the log is asked whether there should have been.

        That finds a connection that has gone dead without a word. Raises Stopping, EventStoreUnavailable.
        """
        coming = asyncio.ensure_future(subscription.next_batch())
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            while not coming.done():
                await asyncio.wait({coming, stopping}, timeout=self._idle_check, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    raise Stopping
                if not coming.done():
                    await self._check_silence(coming)
            return coming.result()
        finally:
            coming.cancel()
            stopping.cancel()

    async def _check_silence(self, coming: "asyncio.Future[Batch]") -> None:
        last, reached = await self._log.last_position(), self.lowest_position()
        if last is None or (reached is not None and last <= reached):
            return
        await asyncio.wait({coming}, timeout=self._idle_check)
        if not coming.done():
            raise EventStoreUnavailable(f"the subscription is silent at {reached}, but the log goes on to {last}")

    def _note(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {error}"

    def _set_connected(self, connected: bool) -> None:
        self.connected, self.caught_up = connected, False
        metrics.CONNECTED.set(int(connected))


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Runs all of it to its end, also when some fails; then raises what failed, a fault before a mere stop."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in sorted(failures, key=lambda one: isinstance(one, Stopping)):
        raise failure
