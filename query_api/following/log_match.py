"""Whether the live builds were made from the log that is there, so that no answer is given from one that was not."""

import asyncio
from time import monotonic

import structlog

from infrastructure.checkpoints import CHECKPOINTS, Missing, missing_for_target
from infrastructure.checkpoints.log_check import LogReads
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.problems import Problem
from infrastructure.read_store import ReadStoreUnavailable
from query_api.following.live_build import LiveBuild
from query_api.following.live_builds import LiveBuilds
from query_api.following.metrics import on_other_log
from query_api.reading.bounded_reads import BoundedReads

log = structlog.get_logger(__name__)

_RENEWED_AFTER = 1.0
"""Seconds after which a request has the checks made again, without waiting for them."""

_MAX_AGE = 5.0
"""Seconds after which a request waits for the checks to be made again."""

_LONGEST_WAIT = 0.5
"""Seconds that a request waits at most: while the event store is away, queries are answered as before."""


class LogMatch:
    """The event store is asked about once a second, for all views at once, and only while there are requests."""

    def __init__(self, events: LogReads, reads: BoundedReads, live_builds: LiveBuilds) -> None:
        self._events = events
        self._reads = reads
        self._live_builds = live_builds
        self._missing: dict[LiveBuild, Missing | None] = {}
        self._checked_at = float("-inf")
        self._checking: asyncio.Task[None] | None = None

    async def check(self, view: str, live: LiveBuild | None) -> None:
        """Raises Problem (503) when the live build was made from another log than the one that is there."""
        if live is None:
            return
        age = monotonic() - self._checked_at
        if age > _MAX_AGE or live not in self._missing:
            await asyncio.wait({self._renew()}, timeout=_LONGEST_WAIT)
        elif age > _RENEWED_AFTER:
            self._renew()
        missing = self._missing.get(live)
        if missing is not None:
            raise other_log(view, missing)

    async def close(self) -> None:
        """Ends the check that is under way."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    def _renew(self) -> asyncio.Task[None]:
        if self._checking is None:
            self._checking = asyncio.create_task(self._check_all())
            self._checking.add_done_callback(self._ended)
        return self._checking

    def _ended(self, checking: asyncio.Task[None]) -> None:
        self._checking, self._checked_at = None, monotonic()
        if not checking.cancelled() and checking.exception() is not None:
            log.error("the live builds could not be compared with the log", exc_info=checking.exception())

    async def _check_all(self) -> None:
        live_builds = await self._live_builds.all(())
        # What is known stays; of what is not, nothing is said while nobody can.
        found = {live: self._missing.get(live) for live in live_builds.values()}
        try:
            keys = [key for live in live_builds.values() for key in live.checkpoint_keys]
            checkpoints = await self._reads.load(CHECKPOINTS, keys)
            for view, live in live_builds.items():
                found[live] = await missing_for_target(self._events, live.target, checkpoints)
                self._tell(view, live, found[live])
        except (EventStoreUnavailable, ReadStoreUnavailable) as error:
            log.debug("the live builds can't be compared with the log now", error=str(error))
        self._missing = found

    def _tell(self, view: str, live: LiveBuild, missing: Missing | None) -> None:
        if missing is not None and self._missing.get(live) is None:
            log.critical("queries are refused: the view was made from another log", view=view, error=str(missing))
        on_other_log(view, missing is not None)


def other_log(view: str, missing: Missing) -> Problem:
    """503: the view was made from another log."""
    title = "The view was made from another log"
    detail = f"{view}: {missing}. It is answered again once it is rebuilt (eventfold views rebuild {view})"
    return Problem(503, "other-log", title, detail, code="other-log", headers={"Retry-After": "5"})
