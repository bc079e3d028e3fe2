"""How far the views are, and waiting until one has got far enough (`?at_least=`)."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from msgspec import Struct

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.http.problems import Problem
from query_api.following.live_build import LiveBuild
from query_api.following.live_builds import LiveBuilds
from query_api.following.log_end import LogEnd
from query_api.following.log_match import LogMatch
from query_api.following.metrics import WaitMetrics
from query_api.reading.bounded_reads import BoundedReads
from read_models.model.view import View

# How soon, in seconds, a view usually has what was just acknowledged; only after that the log's end is asked for.
_USUALLY_REACHED_WITHIN = 0.05


class UnknownPosition(Problem):
    """409: the log ends before the position that was asked for."""

    def __init__(self, view: str, position: int) -> None:
        super().__init__(
            409,
            "unknown-position",
            "This log does not know the position",
            f"{view} can't reach {position}: the log ends before it, so no event of it stands there",
            code="unknown-position",
        )


class Reached(Struct, frozen=True):
    """A live build of a view, and the position that it has reached."""

    live: LiveBuild
    position: int


class Checkpoints:
    """The positions of the views' live builds, as the projector keeps them.

    All who wait in this process share one poller, which reads every live build's checkpoints at once and only while
    somebody waits; it follows the views' records, so that after a switch the new build lets go of those who wait.
    `interval` is in seconds, between two reads; `timeout` bounds in seconds how long anybody waits.
    """

    def __init__(
        self,
        reads: BoundedReads,
        live_builds: LiveBuilds,
        log_match: LogMatch,
        log_end: LogEnd,
        views: Sequence[View],
        *,
        timeout: float,
        interval: float = 0.005,
    ) -> None:
        self._reads = reads
        self._live_builds = live_builds
        self._log_match = log_match
        self._log_end = log_end
        self._metrics = {view.name: WaitMetrics(view.name) for view in views}
        self._timeout = timeout
        self._interval = interval
        self._waiting: dict[asyncio.Future[Reached], tuple[str, int]] = {}
        self._reached: dict[str, Reached] = {}
        self._poller: asyncio.Task[None] | None = None

    async def now(self, view: View) -> Reached | None:
        """The view's live build and how far it is now; None before its first checkpoint."""
        live = await self._live_builds.of(view)
        if live is None:
            return None
        await self._log_match.check(view.name, live)
        position = live.position(await self._reads.load(CHECKPOINTS, live.checkpoint_keys))
        return None if position is None else Reached(live, position)

    async def reached(self, view: View, position: int) -> Reached:
        """Waits until the view's live build has reached `position`; answers which one that is, and how far it is then.

        Raises Problem (409 when the log ends before that position; 503 with Retry-After when time is up, or when the
        build was made from another log), ReadStoreUnavailable.
        """
        started, outcome = perf_counter(), "failed"
        metrics = self._metrics[view.name]
        metrics.waiting.inc()
        answer: asyncio.Future[Reached] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = (view.name, position)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(self._timeout):
                await self._log_match.check(view.name, await self._live_builds.of(view))
                at = await self._first_of(answer, view, position)
                await self._log_match.check(view.name, at.live)
            outcome = "reached"
        except UnknownPosition:
            outcome = "unknown"
            raise
        except TimeoutError:
            outcome = "timeout"
            raise self._too_far_behind(view, position) from None
        finally:
            self._waiting.pop(answer, None)
            _noticed(answer)
            metrics.waiting.dec()
            metrics.waited(outcome, perf_counter() - started)
        return at

    async def _first_of(self, answer: asyncio.Future[Reached], view: View, position: int) -> Reached:
        """The answer; raises UnknownPosition if the log turns out to end before the position."""
        await asyncio.wait({answer}, timeout=_USUALLY_REACHED_WITHIN)
        if not answer.done():
            beyond = asyncio.ensure_future(self._log_end.is_before(position))
            try:
                both: set[asyncio.Future[Any]] = {answer, beyond}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done() and beyond.result():
                    raise UnknownPosition(view.name, position)
            finally:
                beyond.cancel()
        return await answer

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
                self._reached = await self._read()
                self._release()
                if self._waiting:
                    await asyncio.sleep(self._interval)
        except Exception as error:
            self._fail(error)
        finally:
            self._poller = None

    async def _read(self) -> dict[str, Reached]:
        live_builds = await self._live_builds.all({view for view, _ in self._waiting.values()})
        keys = [key for live in live_builds.values() for key in live.checkpoint_keys]
        checkpoints = await self._reads.load(CHECKPOINTS, keys)
        positions = {view: (live, live.position(checkpoints)) for view, live in live_builds.items()}
        return {view: Reached(live, at) for view, (live, at) in positions.items() if at is not None}

    def _release(self) -> None:
        for answer, (view, position) in list(self._waiting.items()):
            at = self._reached.get(view)
            if at is not None and at.position >= position:
                del self._waiting[answer]
                if not answer.done():
                    answer.set_result(at)

    def _fail(self, error: Exception) -> None:
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(error)
        self._waiting.clear()

    def _too_far_behind(self, view: View, position: int) -> Problem:
        at = self._reached.get(view.name)
        reached = "has no checkpoint yet" if at is None else f"is at {at.position}"
        return Problem(
            503,
            "view-behind",
            "The view has not reached that position yet",
            f"{view.name} {reached}, not yet at {position}; waited {self._timeout:g} s",
            headers={"Retry-After": "1"},
        )


def _noticed(answer: asyncio.Future[Reached]) -> None:
    """Its failure counts as told, where another one was met first."""
    if answer.done() and not answer.cancelled():
        answer.exception()
