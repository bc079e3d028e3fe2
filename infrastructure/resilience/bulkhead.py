"""A bulkhead: so many calls at a time, so many that wait, and the rest refused at once.

Without one, a dependency that is slow takes every task, connection and byte of memory of a process, and other work
stands still with it.
"""

import asyncio
from collections import deque
from contextlib import suppress


class BulkheadFull(Exception):
    """The call is refused: as many as may be are under way, and as many as may wait do."""


class Bulkhead:
    """`concurrency` places, and a queue of at most `queue` calls that wait for one, in the order in which they came.

    Every `enter` that returns is followed by one `leave`.
    """

    def __init__(self, concurrency: int, queue: int) -> None:
        if concurrency < 1 or queue < 0:
            raise ValueError("a bulkhead has at least one place, and a queue of at least 0")
        self.concurrency = concurrency
        self.queue = queue
        self.running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Takes a place, at once or when it is this call's turn. Raises BulkheadFull at once."""
        if self.running < self.concurrency:
            self.running += 1
            return
        if len(self._waiting) >= self.queue:
            raise BulkheadFull(f"{self.running} calls are under way and {len(self._waiting)} wait")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was given a place at the same moment
            else:
                with suppress(ValueError):  # a place that was given back may have passed it over
                    self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Gives a place back; whoever has waited longest gets it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
