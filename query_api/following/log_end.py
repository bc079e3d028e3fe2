"""Where the log ends: asked for only when somebody waits for a position that may not be in it."""

import asyncio
from time import monotonic
from typing import Protocol

from infrastructure.event_store import AppendRefused, EventStoreUnavailable

_BETWEEN_READS = 0.05
"""Seconds between two reads at least, whatever is asked."""

_KNOWN_FOR = 1.0
"""For so many seconds a position that was in the log is taken to be in it: a log may be replaced by a shorter one."""


class EndReads(Protocol):
    """What is needed of the event store; see infrastructure.event_store.EventStore."""

    @property
    def may_lag(self) -> bool: ...

    async def end_position(self) -> int | None: ...


class LogEnd:
    """Reads are shared: one begins after all who wait for it have asked, so what was acknowledged before is seen."""

    def __init__(self, log: EndReads) -> None:
        self._log = log
        self._end = -1
        self._began = float("-inf")
        self._coming: asyncio.Task[int | None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def is_before(self, position: int) -> bool:
        """Whether the log ends before `position`, at a moment after the call; False when nobody can say."""
        if self._log.may_lag or (self._end >= position and monotonic() - self._began < _KNOWN_FOR):
            return False
        if self._coming is None:
            self._coming = asyncio.create_task(self._read())
            self._coming.add_done_callback(_noticed)
        try:
            end = await asyncio.shield(self._coming)
        except (EventStoreUnavailable, AppendRefused):
            return False
        return end is None or end < position

    async def _read(self) -> int | None:
        async with self._one_at_a_time:
            await asyncio.sleep(max(0.0, self._began + _BETWEEN_READS - monotonic()))
            self._coming, self._began = None, monotonic()
            end = await self._log.end_position()
            self._end = -1 if end is None else end
            return end


def _noticed(read: asyncio.Task[int | None]) -> None:
    if not read.cancelled():
        read.exception()  # told to those who wait for it; there need not be any
