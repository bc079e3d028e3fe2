"""Subscribers for the crash rounds: each goes on from its checkpoint after every crash and keeps all it was given."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Sequence
from uuid import UUID

from esdbclient import AsyncEventStoreDBClient, Checkpoint, RecordedEvent
from node_support import until


class Subscriber(ABC):
    """`checkpoint` is what a real consumer would have stored; `seen` is what it was given so far, in order."""

    def __init__(self) -> None:
        self.checkpoint: int | None = None
        self.seen: list[UUID] = []
        self.resumed_from_checkpoint_message = 0
        self._is_at_checkpoint_message = False

    async def follow(self, client: AsyncEventStoreDBClient) -> None:
        """Take events until the connection fails."""
        self.resumed_from_checkpoint_message += self._is_at_checkpoint_message
        async for event in await self.subscribe(client):
            self._is_at_checkpoint_message = isinstance(event, Checkpoint)
            if not self._is_at_checkpoint_message:
                self.seen.append(event.id)
            self.checkpoint = self.position(event)

    async def catch_up(self, client: AsyncEventStoreDBClient, log: Sequence[RecordedEvent]) -> None:
        """Go on until everything in the log was given, then check it."""
        wanted = self.expected(log)
        following = asyncio.create_task(self.follow(client))
        await until(lambda: _is_true(len(self.seen) >= len(wanted)))
        following.cancel()
        assert self.seen == wanted

    def check(self, log: Sequence[RecordedEvent]) -> None:
        """What was given is what the log begins with: nothing is missing, doubled, moved or made up."""
        assert self.seen == self.expected(log)[: len(self.seen)]

    def expected(self, log: Sequence[RecordedEvent]) -> list[UUID]:
        return [event.id for event in log if self.wants(event)]

    def position(self, event: RecordedEvent) -> int:
        assert event.commit_position is not None
        return event.commit_position

    def wants(self, event: RecordedEvent) -> bool:
        return True

    @abstractmethod
    async def subscribe(self, client: AsyncEventStoreDBClient) -> AsyncIterable[RecordedEvent]: ...


async def _is_true(condition: bool) -> bool:
    return condition


class ToAll(Subscriber):
    async def subscribe(self, client: AsyncEventStoreDBClient) -> AsyncIterable[RecordedEvent]:
        return await client.subscribe_to_all(commit_position=self.checkpoint)


class ToType(Subscriber):
    """To one type of event in `$all`: most of its checkpoints are between events."""

    def __init__(self, type_: str) -> None:
        super().__init__()
        self._type = type_

    def wants(self, event: RecordedEvent) -> bool:
        return event.type == self._type

    async def subscribe(self, client: AsyncEventStoreDBClient) -> AsyncIterable[RecordedEvent]:
        return await client.subscribe_to_all(
            commit_position=self.checkpoint,
            filter_include=[self._type],
            include_checkpoints=True,
            window_size=3,
            checkpoint_interval_multiplier=1,
        )


class ToStream(Subscriber):
    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream

    def wants(self, event: RecordedEvent) -> bool:
        return event.stream_name == self._stream

    def position(self, event: RecordedEvent) -> int:
        return event.stream_position

    async def subscribe(self, client: AsyncEventStoreDBClient) -> AsyncIterable[RecordedEvent]:
        return await client.subscribe_to_stream(self._stream, stream_position=self.checkpoint)
