"""How far the views are, and waiting until one has got far enough (`?at_least=`)."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from infrastructure.problems import Problem
from query_api.bounded_reads import BoundedReads
from query_api.metrics import WaitMetrics
from read_models.view import View

CHECKPOINTS = "checkpoints"


class Checkpoints:
    """The positions of the views, as the projector keeps them.

    All who wait in this process share one poller, which reads every view's checkpoint at once and only while somebody
    waits. `interval` is in seconds, between two reads; `timeout` bounds in seconds how long anybody waits.
    """

    def __init__(self, reads: BoundedReads, views: Sequence[View], *, timeout: float, interval: float = 0.005) -> None:
        self._reads = reads
        self._collections = [view.collection for view in views]
        self._metrics = {view.name: WaitMetrics(view.name) for view in views}
        self._timeout = timeout
        self._interval = interval
        self._waiting: dict[asyncio.Future[int], tuple[str, int]] = {}
        self._positions: dict[str, int] = {}
        self._poller: asyncio.Task[None] | None = None

    async def position(self, view: View) -> int | None:
        """How far the view is now; None before its first checkpoint."""
        found = await self._reads.load(CHECKPOINTS, [view.collection])
        checkpoint = found.get(view.collection)
        return checkpoint.position if checkpoint else None

    async def reached(self, view: View, position: int) -> int:
        """Waits until the view has reached `position`; answers how far it is then.

        Raises Problem (503 with Retry-After) when time is up, ReadStoreUnavailable.
        """
        started, outcome = perf_counter(), "failed"
        metrics = self._metrics[view.name]
        metrics.waiting.inc()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = (view.collection, position)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(self._timeout):
                at = await answer
            outcome = "reached"
        except TimeoutError:
            outcome = "timeout"
            raise self._too_far_behind(view, position) from None
        finally:
            self._waiting.pop(answer, None)
            metrics.waiting.dec()
            metrics.waited(outcome, perf_counter() - started)
        return at

    def stop(self) -> None:
        """Lets go of all who wait, so that a service that is stopping need not wait for them."""
        title = "The service is stopping"
        self._fail(Problem(503, "unavailable", title, "ask again", headers={"Retry-After": "1"}))

    async def close(self) -> None:
        """Ends the poller. Called when no request is under way, so nobody waits any more."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def _poll(self) -> None:
        try:
            while self._waiting:
                found = await self._reads.load(CHECKPOINTS, self._collections)
                self._positions = {collection: checkpoint.position for collection, checkpoint in found.items()}
                self._release()
                if self._waiting:
                    await asyncio.sleep(self._interval)
        except Exception as error:
            self._fail(error)
        finally:
            self._poller = None

    def _release(self) -> None:
        for answer, (collection, position) in list(self._waiting.items()):
            at = self._positions.get(collection)
            if at is not None and at >= position:
                del self._waiting[answer]
                if not answer.done():
                    answer.set_result(at)

    def _fail(self, error: Exception) -> None:
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(error)
        self._waiting.clear()

    def _too_far_behind(self, view: View, position: int) -> Problem:
        at = self._positions.get(view.collection)
        reached = "has no checkpoint yet" if at is None else f"is at {at}"
        return Problem(
            503,
            "view-behind",
            "The view has not reached that position yet",
            f"{view.name} {reached}, not yet at {position}; waited {self._timeout:g} s",
            headers={"Retry-After": "1"},
        )
