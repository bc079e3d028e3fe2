"""An event log in memory whose subscription cuts batches, repeats events and breaks off as a test says."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from infrastructure.event_store import Batch, EventStoreUnavailable, StoredEvent, StreamMetadata


class ScriptedLog:
    """Answers as infrastructure.event_store.EventStore does.

    `cuts` are the sizes of the batches handed out (then all that is left); a cut of 0 breaks the subscription off.
    A subscription begins `repeated` events before it was asked to.
    """

    def __init__(self, events: Sequence[StoredEvent], cuts: Iterable[int] = (), repeated: int = 0) -> None:
        self.events = list(events)
        self.away = False
        self.silent = False
        self.stream_metadata: dict[str, StreamMetadata] = {}
        self.subscribed_after: list[int | None] = []
        self._cuts = iter(cuts)
        self._repeated = repeated
        self._appended = asyncio.Event()
        self._drained = asyncio.Event()
        self._trailing: int | None = None

    def append(self, *events: StoredEvent) -> None:
        """More events, for a subscription that is open."""
        self.events += events
        self._drained.clear()
        self._appended.set()

    def advance(self, position: int) -> None:
        """The log goes on without an event for us: system events, which the server filters out."""
        self._trailing = position
        self._drained.clear()
        self._appended.set()

    @property
    def end(self) -> int:
        """The position of the last event; -1 on an empty log."""
        return self.events[-1].position if self.events else -1

    async def read_stream(self, stream: str, from_revision: int = 0, limit: int = 10**9) -> list[StoredEvent]:
        own = [event for event in self._there() if event.stream == stream and not event.is_of_the_store]
        return [event for event in own if event.revision >= from_revision][:limit]

    may_lag = False

    async def metadata_of(self, stream: str) -> StreamMetadata:
        return self.stream_metadata.get(stream, StreamMetadata())

    async def first_from(self, position: int) -> StoredEvent | None:
        return next((event for event in self._there() if event.position >= position), None)

    async def first_after(self, position: int) -> StoredEvent | None:
        later = (event for event in self._there() if event.position > position)
        return next((event for event in later if not event.is_of_the_store), None)

    async def last_until(self, position: int) -> StoredEvent | None:
        before = (event for event in reversed(self._there()) if event.position <= position)
        return next((event for event in before if not event.is_of_the_store), None)

    async def end_position(self) -> int | None:
        return await self.last_position()

    def _there(self) -> list[StoredEvent]:
        if self.away:
            raise EventStoreUnavailable("away")
        return self.events

    @property
    def is_drained(self) -> bool:
        """Whether a subscriber waits for more, having had everything."""
        return self._drained.is_set()

    async def drained(self) -> None:
        """Waits until a subscriber asks for more, having had everything: it is done with all events."""
        await asyncio.wait_for(self._drained.wait(), 10)

    @asynccontextmanager
    async def subscribe(self, after: int | None, *, buffer: int, max_bytes: int = 0) -> AsyncIterator[Any]:
        if self.away:
            raise EventStoreUnavailable("away")
        self.subscribed_after.append(after)
        before = sum(after is not None and event.position <= after for event in self.events)
        yield _Subscription(self, max(0, before - self._repeated), buffer)

    async def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]:
        for event in self.events:
            if after is None or event.position > after:
                yield event

    async def last_position(self) -> int | None:
        if self.away:
            raise EventStoreUnavailable("away")
        return self.events[-1].position if self.events else None


class _Subscription:
    def __init__(self, log: ScriptedLog, index: int, buffer: int) -> None:
        self._log = log
        self._index = index
        self._buffer = buffer

    async def next_batch(self) -> Batch:
        log = self._log
        while True:
            if log.away:
                raise EventStoreUnavailable("away")
            if self._index < len(log.events) and not log.silent:
                return self._cut()
            if log._trailing is not None:
                position, log._trailing = log._trailing, None
                return Batch([], position, True)
            log._drained.set()
            log._appended.clear()
            await log._appended.wait()

    def _cut(self) -> Batch:
        size = min(next(self._log._cuts, self._buffer), self._buffer)
        if size == 0:
            raise EventStoreUnavailable("the subscription was dropped")
        events = self._log.events[self._index : self._index + size]
        self._index += len(events)
        return Batch(events, events[-1].position, self._index == len(self._log.events))
