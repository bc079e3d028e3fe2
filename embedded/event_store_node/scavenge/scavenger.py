"""Running a scavenge: one at a time, step by step, until it is done or stopped."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.scavenge import retention, steps
from embedded.event_store_node.scavenge.history import ScavengeHistory

logger = logging.getLogger(__name__)

# What a client may say in place of the id of the scavenge that runs.
CURRENT = "current"


class UnknownScavengeError(Exception):
    """Another scavenge is running than the one that was named (the argument is its id), or none (empty)."""


def _gone(removed: steps.Removed) -> Sequence[str]:
    return removed.emptied


class Scavenger:
    """
    Starts and stops scavenges. The streams are looked through on a thread and a connection of their own; what is
    found is removed in short steps between the writer's commits. For the event loop's thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], writer: Writer, history: ScavengeHistory) -> None:
        self._connect = connect
        self._writer = writer
        self._history = history
        self._current: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._size = 0

    async def start(self) -> tuple[str, bool]:
        """Start a scavenge, unless one is running. Returns the id of the one that runs, and whether it is new."""
        if self._current is not None:
            return self._current, False
        self._current = scavenge_id = str(uuid4())
        self._stopping.clear()
        self._size = 0
        self._task = asyncio.create_task(self._run(scavenge_id))
        return scavenge_id, True

    async def stop(self, scavenge_id: str) -> str:
        """
        Stop the running scavenge and wait until it has. Returns its id.

        Raises:
            UnknownScavengeError: another one is running, or none.
        """
        current, task = self._current, self._task
        if current is None or task is None or scavenge_id not in (current, CURRENT):
            raise UnknownScavengeError(current or "")
        self._stopping.set()
        await asyncio.wait([task])
        return current

    async def close(self) -> None:
        """Stop what is running; the log must still be writable."""
        if self._current is not None:
            await self.stop(CURRENT)

    async def _run(self, scavenge_id: str) -> None:
        begun = time.monotonic()
        result, error = "Success", ""
        try:
            await self._history.started(scavenge_id)
            is_complete = await self._remove() and await self._give_back()
            result = "Success" if is_complete else "Stopped"
        except Exception as exception:
            logger.exception("Scavenge %s failed", scavenge_id)
            result, error = "Errored", str(exception)
        try:
            await self._history.completed(scavenge_id, result, error, time.monotonic() - begun, self._size)
        except Exception:
            logger.exception("The end of scavenge %s is not written down", scavenge_id)
        self._current = None

    async def _remove(self) -> bool:
        """Remove what need not be kept, stream by stream; False if stopped on the way."""
        connection = self._connect()
        try:
            after_id, is_end = 0, False
            while not is_end and not self._stopping.is_set():
                page = await asyncio.to_thread(retention.candidates, connection, after_id)
                after_id, is_end = page.last_id, page.is_end
                remaining: Sequence[retention.Candidate] = page.candidates
                while remaining:
                    if self._stopping.is_set():
                        return False
                    removed = await self._writer.perform(partial(steps.remove, streams=remaining), gone=_gone)
                    self._size += removed.size
                    remaining = removed.remaining
        finally:
            connection.close()
        return not self._stopping.is_set()

    async def _give_back(self) -> bool:
        """Return the free pages to the file system; False if stopped on the way."""
        while await self._writer.perform(steps.give_back):
            if self._stopping.is_set():
                return False
        await self._writer.perform(steps.shorten_file)
        return True
