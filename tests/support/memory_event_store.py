"""An event store in memory with the version check, idempotency, deletion and truncation of the real one."""

import json
from collections.abc import Sequence

from infrastructure.event_store import (
    ANY_REVISION,
    NO_STREAM,
    Appended,
    EventStoreUnavailable,
    NewEvent,
    StoredEvent,
    StreamDeleted,
    StreamMetadata,
    StreamSlice,
    WrongExpectedRevision,
)

SOFT_DELETED = 2**63 - 1


class MemoryEventStore:
    """Answers as infrastructure.event_store.EventStore does.

    `before_append` runs once before the next append reaches the log: a rival's chance to come first. `lose_answer`
    makes the next append succeed and then fail as unavailable, as a broken connection does. `now` is the store's clock,
    in seconds.
    """

    def __init__(self) -> None:
        self.log: list[StoredEvent] = []
        self.metadata: dict[str, dict[str, int]] = {}
        self.tombstones: set[str] = set()
        self.before_append = None
        self.lose_answer = False
        self.away = False
        self.reads = 0
        self.now = 1_700_000_000

    async def read_stream(self, stream: str, from_revision: int = 0, limit: int = 2**63 - 1) -> list[StoredEvent]:
        return (await self.read_slice(stream, from_revision, limit)).events

    async def read_slice(self, stream: str, from_revision: int = 0, limit: int = 2**63 - 1) -> StreamSlice:
        self._reachable()
        self.reads += 1
        if stream in self.tombstones:
            raise StreamDeleted(stream)
        if not self._written(stream) or self._is_deleted(stream):
            return StreamSlice([], False)
        return StreamSlice([one for one in self.readable(stream) if one.revision >= from_revision][:limit], True)

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]:
        return (await self.read_slice(stream)).events[::-1][:limit]

    async def metadata_of(self, stream: str) -> StreamMetadata:
        self._reachable()
        if stream in self.tombstones:
            raise StreamDeleted(stream)
        return StreamMetadata(self.metadata.get(stream, {}).get("$tb"))

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended:
        self._reachable()
        if self.before_append is not None:
            rival, self.before_append = self.before_append, None
            await rival()
        if stream.startswith("$$"):
            self.metadata[stream[2:]] = json.loads(events[-1].data)
            return Appended(0, 0)
        if stream in self.tombstones:
            raise StreamDeleted(stream)
        history = self._written(stream)
        last = len(history) - 1
        if expected not in (last, ANY_REVISION):
            appended = self._repeated(history, expected, events)
            if appended is not None:
                return appended
            if not (expected == NO_STREAM and self._is_deleted(stream)):
                raise WrongExpectedRevision(stream, expected, last)
        if self._is_deleted(stream):
            self.metadata[stream]["$tb"] = last + 1
        for index, event in enumerate(events, start=1):
            position, at = 100 * (len(self.log) + 1), self.now * 1000
            self.log.append(
                StoredEvent(event.id, event.type, stream, last + index, position, at, event.data, event.metadata)
            )
        if self.lose_answer:
            self.lose_answer = False
            raise EventStoreUnavailable("the answer was lost")
        return Appended(self.log[-1].revision, self.log[-1].position)

    def readable(self, stream: str) -> list[StoredEvent]:
        """Those of the stream's events that are not cut off."""
        history, said = self._written(stream), self.metadata.get(stream, {})
        first = max(said.get("$tb", 0), len(history) - said.get("$maxCount", len(history)))
        oldest = (self.now - said["$maxAge"]) * 1000 if "$maxAge" in said else 0
        return [one for one in history if one.revision >= first and one.recorded_at >= oldest]

    def delete(self, stream: str) -> None:
        """A client's `delete_stream`."""
        if self._written(stream):
            self.metadata[stream] = {"$tb": SOFT_DELETED}

    def truncate(self, stream: str, **metadata: int) -> None:
        """Sets `tb`, `maxCount` or `maxAge`, unless the stream is deleted."""
        if not self._is_deleted(stream) and self._written(stream):
            self.metadata[stream] = {f"${name}": value for name, value in metadata.items()}

    def backup(self) -> tuple[list[StoredEvent], dict[str, dict[str, int]], set[str]]:
        return list(self.log), {name: dict(said) for name, said in self.metadata.items()}, set(self.tombstones)

    def restore(self, backup: tuple[list[StoredEvent], dict[str, dict[str, int]], set[str]]) -> None:
        """The log is again what it was then."""
        log, metadata, tombstones = backup
        self.log, self.metadata = list(log), {name: dict(said) for name, said in metadata.items()}
        self.tombstones = set(tombstones)

    def _written(self, stream: str) -> list[StoredEvent]:
        return [event for event in self.log if event.stream == stream]

    def _is_deleted(self, stream: str) -> bool:
        return self.metadata.get(stream, {}).get("$tb") == SOFT_DELETED

    may_lag = False

    async def end_position(self) -> int | None:
        self._reachable()
        return self.log[-1].position if self.log else None

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
