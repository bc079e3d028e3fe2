"""Commands that contend for one stream go one after another, so that they don't undo each other's work.

Without it, of fifty that come at once one appends and forty-nine decide again; of these one appends, and so on. It is
for speed alone: other processes append too, and what is right is settled by the revisions that the store expects.
"""

import asyncio
from types import TracebackType
from weakref import WeakValueDictionary

_MOST_WAITING = 200
"""One more takes its chance at once, as if there were no queue: then it is told to come back, not kept waiting."""


class _Queue:
    """Of one stream, for as long as anybody is in it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0


class Turn:
    """A command's turn at a stream, which ends with the block. It is waited for from the beginning where others are in
    the stream's queue already, otherwise once it is asked for."""

    def __init__(self, queues: WeakValueDictionary[str, _Queue], stream: str) -> None:
        self._queues = queues
        self._stream = stream
        self._held: _Queue | None = None

    @property
    def is_held(self) -> bool:
        """Whether the command has the turn."""
        return self._held is not None

    async def __aenter__(self) -> "Turn":
        if self._stream in self._queues:
            await self.take()
        return self

    async def take(self) -> None:
        """Waits for the turn, unless the command has it."""
        queue = self._queues.setdefault(self._stream, _Queue())
        if self.is_held or queue.waiting >= _MOST_WAITING:
            return
        queue.waiting += 1
        try:
            await queue.lock.acquire()
        finally:
            queue.waiting -= 1
        self._held = queue

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held is not None:
            self._held.lock.release()
            self._held = None


class Turns:
    """The queues of all streams; one per process."""

    def __init__(self) -> None:
        self._queues: WeakValueDictionary[str, _Queue] = WeakValueDictionary()

    def of(self, stream: str) -> Turn:
        """A turn at the stream, as a block."""
        return Turn(self._queues, stream)
