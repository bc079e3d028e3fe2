"""An event store in memory with the version check and idempotency of the real one, for the pipeline's logic."""

from collections.abc import Sequence

from infrastructure.event_store import (
    Appended,
    EventStoreUnavailable,
    NewEvent,
    StoredEvent,
    WrongExpectedRevision,
)


class MemoryEventStore:
    """Answers `append` and `read_stream` as infrastructure.event_store.EventStore does.

    `before_append` runs once before the next append reaches the log: a rival's chance to come first. `lose_answer`
    makes the next append succeed and then fail as unavailable, as a broken connection does.
    """

    def __init__(self) -> None:
        self.log: list[StoredEvent] = []
        self.before_append = None
        self.lose_answer = False
        self.away = False
        self.reads = 0

    async def read_stream(self, stream: str, from_revision: int = 0, limit: int = 2**63 - 1) -> list[StoredEvent]:
        self._reachable()
        self.reads += 1
        return [event for event in self.log if event.stream == stream and event.revision >= from_revision][:limit]

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended:
        self._reachable()
        if self.before_append is not None:
            rival, self.before_append = self.before_append, None
            await rival()
        history = [event for event in self.log if event.stream == stream]
        last = len(history) - 1
        if expected != last:
            appended = self._repeated(history, expected, events)
            if appended is None:
                raise WrongExpectedRevision(stream, expected, last)
            return appended
        for index, event in enumerate(events, start=1):
            position = 100 * (len(self.log) + 1)
            self.log.append(
                StoredEvent(event.id, event.type, stream, last + index, position, 0, event.data, event.metadata)
            )
        if self.lose_answer:
            self.lose_answer = False
            raise EventStoreUnavailable("the answer was lost")
        return Appended(self.log[-1].revision, self.log[-1].position)

    may_lag = False

    async def end_position(self) -> int | None:
        self._reachable()
        return self.log[-1].position if self.log else None

    async def stream_limits(self, stream: str) -> None:
        self._reachable()

    async def first_from(self, position: int) -> StoredEvent | None:
        self._reachable()
        return next((event for event in self.log if event.position >= position), None)

    async def first_after(self, position: int) -> StoredEvent | None:
        return await self.first_from(position + 1)

    async def last_until(self, position: int) -> StoredEvent | None:
        self._reachable()
        return next((event for event in reversed(self.log) if event.position <= position), None)

    def _repeated(self, history: list[StoredEvent], expected: int, events: Sequence[NewEvent]) -> Appended | None:
        there = history[expected + 1 : expected + 1 + len(events)]
        if [event.id for event in there] != [event.id for event in events]:
            return None
        return Appended(there[-1].revision, there[-1].position)

    def _reachable(self) -> None:
        if self.away:
            raise EventStoreUnavailable("away")
