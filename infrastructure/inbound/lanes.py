"""Messages of one key one after another, those of different keys side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[None]]


class Lanes:
    """Each key has a lane while there is work for it. The work itself never raises."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Work]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, key: str, work: Work) -> None:
        """Does the work once all that was submitted before for the same key is done."""
        if key in self._waiting:
            self._waiting[key].append(work)
            return
        self._waiting[key] = deque([work])
        task = asyncio.create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, key: str) -> None:
        lane = self._waiting[key]
        try:
            while lane:
                await lane[0]()
                lane.popleft()
        finally:
            self._waiting.pop(key, None)
