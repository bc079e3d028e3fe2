"""What a follower still has to handle: all that has come while it was busy is taken as one batch."""

import asyncio

from infrastructure.checkpoints import NO_TRAIL, Trail
from subscriptions.decoding import DecodedBatch, Incoming


class Inbox:
    """At most about `capacity` events wait here; a feed waits for room before each batch."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: list[Incoming] = []
        self._position = -1
        self._trail: Trail = NO_TRAIL
        self._considered = 0
        self._caught_up = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._abandoned = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._news.is_set()

    def put(self, batch: DecodedBatch, trail: Trail = NO_TRAIL) -> None:
        """Adds a batch; `trail` is the log up to its position."""
        if self._abandoned:
            return
        self._events += batch.events
        self._position, self._trail, self._caught_up = batch.position, trail, batch.caught_up
        self._considered += batch.considered
        if len(self._events) >= self._capacity:
            self._room.clear()
        self._news.set()

    async def room(self) -> None:
        """Waits until another batch can be put in."""
        await self._room.wait()

    def release(self) -> None:
        """Ends the wait for room."""
        self._room.set()

    def abandon(self) -> None:
        """Nothing is taken any more, so nobody must wait for room."""
        self._abandoned = True
        self._events, self._position = [], -1
        self._room.set()

    async def take(self) -> tuple[DecodedBatch, Trail]:
        """Waits until there is something, then takes all of it, with the log up to there."""
        await self._news.wait()
        batch = DecodedBatch(self._events, self._position, self._caught_up, self._considered)
        self._events, self._considered = [], 0
        self._news.clear()
        self._room.set()
        return batch, self._trail
