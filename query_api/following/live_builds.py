"""Which build of each view queries are answered from: followed by reading the views' records again and again."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic

import structlog

from infrastructure.view_registry import ViewRecord
from query_api.following.live_build import LiveBuild
from query_api.following.metrics import follows_build
from query_api.reading.bounded_reads import BoundedReads
from read_models.model.view import View

log = structlog.get_logger(__name__)

MAX_AGE = 0.5
"""How long ago, in seconds, the read of a record may have begun when a request begins to use it."""

_RENEWED_AT = MAX_AGE / 2


class LiveBuilds:
    """The views' live builds, by records that are kept for at most MAX_AGE.

    All records are read at once, by one read that requests share, and only while there are requests. Busy services
    never wait for it: records are read anew in the background once half of MAX_AGE is over. `clock` is in seconds and
    never goes back.
    """

    def __init__(self, reads: BoundedReads, views: Sequence[View], *, clock: Callable[[], float] = monotonic) -> None:
        self._reads = reads
        self._views = [view.name for view in views]
        self._clock = clock
        self._live: Mapping[str, LiveBuild] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def of(self, view: View) -> LiveBuild | None:
        """The view's live build; None when nothing of the view has been projected yet.

        A request asks once and reads everything from the answer. Raises ReadStoreUnavailable.
        """
        return (await self.all((view.name,))).get(view.name)

    async def all(self, wanted: Collection[str]) -> Mapping[str, LiveBuild]:
        """The live builds of every view that has one. Raises ReadStoreUnavailable.

        When one of the views `wanted` is known to have none, the records are read anew, so that its first documents
        are found at once.
        """
        now = self._clock()
        if now - self._read_at > MAX_AGE or not all(view in self._live for view in wanted):
            await self._renewed()
            while now - self._read_at > MAX_AGE:  # that read had begun too long ago
                await self._renewed()
        elif now - self._read_at > _RENEWED_AT:
            self._renew()
        return self._live

    async def close(self) -> None:
        """Ends the read that is under way. Called when no request is."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _renewed(self) -> None:
        # Shielded, because others wait for the same read.
        await asyncio.shield(self._renew())

    def _renew(self) -> asyncio.Task[None]:
        """The read that is under way, or else one that begins now."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._ended)
        return self._reading

    def _ended(self, reading: asyncio.Task[None]) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # told to those who wait for it; there need not be any

    async def _read(self) -> None:
        began = self._clock()
        records = await self._reads.records(self._views)
        self._live = {view: self._live_build(view, record, began) for view, record in records.items()}
        self._read_at = began

    def _live_build(self, view: str, record: ViewRecord, known_at: float) -> LiveBuild:
        kept = self._live.get(view)
        if kept is not None and kept.is_live_in(record):
            kept.confirm(record, known_at)
            return kept
        build = record.live
        follows_build(view, build.number, build.version)
        log.info("queries are answered from this build", view=view, target=build.collection, build=build.number)
        return LiveBuild(self._reads, record, known_at, self._clock)
