"""The event store as the services see it: append, read, subscribe."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Self, TypeVar

import grpc

from infrastructure.event_store.appender import Appender
from infrastructure.event_store.connection import Connection
from infrastructure.event_store.errors import EventStoreUnavailable, StreamDeleted
from infrastructure.event_store.events import Appended, NewEvent, StoredEvent, StreamLimits
from infrastructure.event_store.reader_choice import Reader
from infrastructure.event_store.reads import all_request, stored_event, stream_request
from infrastructure.event_store.responses import responses
from infrastructure.event_store.stream_limits import stream_limits
from infrastructure.event_store.subscription import Subscription
from infrastructure.resilience import retrying
from infrastructure.settings import Settings

T = TypeVar("T")

_UNLIMITED = 2**63 - 1


class EventStore:
    """An EventStoreDB (KurrentDB) cluster, a single node or the embedded node, behind a connection string.

    `retry_timeout` bounds in seconds how long a call is repeated while the store can't be reached, `deadline` one
    attempt. `reader` receives the responses of subscriptions and of `read_all`. It connects at the first call.
    """

    def __init__(self, uri: str, *, retry_timeout: float = 2.0, deadline: float = 5.0, reader: Reader = "auto") -> None:
        self._connection = Connection(uri, reader)
        self._appender = Appender(self._connection, deadline)
        self._retry_timeout = retry_timeout
        self._deadline = deadline

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The event store that the settings name."""
        return cls(
            settings.event_store.uri,
            retry_timeout=settings.event_store.retry_timeout,
            deadline=settings.event_store.deadline,
            reader=settings.event_store.reader,
        )

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended:
        """Appends `events` after revision `expected` (NO_STREAM: the stream must be new), all or none.

        It is repeated while the store can't be reached: with the same ids and an exact revision that is idempotent.
        Raises WrongExpectedRevision, StreamDeleted, AppendRefused, or EventStoreUnavailable (outcome unknown).
        """
        return await self._retrying(lambda: self._appender.append(stream, expected, events))

    async def read_stream(self, stream: str, from_revision: int = 0, limit: int = _UNLIMITED) -> list[StoredEvent]:
        """The stream's events from a revision on; none when there is no such stream.

        Raises StreamDeleted or EventStoreUnavailable.
        """
        request = stream_request(stream, from_revision, limit)
        return await self._retrying(lambda: self._read(request, stream))

    async def read_all(self, after: int | None = None) -> AsyncIterator[StoredEvent]:
        """Every event but the system's, in commit order, after a position. Raises EventStoreUnavailable."""
        try:
            async with aclosing(await responses(self._connection, all_request(after, _UNLIMITED))) as chunks:
                async for chunk in chunks:
                    for response in chunk:
                        if response.WhichOneof("content") != "event":
                            continue
                        # A read from a position begins with the event at that position, a subscription after it.
                        event = stored_event(response.event)
                        if after is None or event.position > after:
                            yield event
        except grpc.RpcError as error:
            raise await self._connection.failed(error) from error

    async def last_position(self) -> int | None:
        """The commit position of the newest event that is not the system's; None on an empty log."""
        request = all_request(None, 1, backwards=True)
        events = await self._retrying(lambda: self._read(request, "$all"))
        return events[0].position if events else None

    @property
    def may_lag(self) -> bool:
        """Whether reads may be answered by a node that is behind the leader."""
        return not self._connection.prefers_leader

    async def end_position(self) -> int | None:
        """The commit position of the newest event, the system's included; None on an empty log."""
        events = await self._all(None, backwards=True, system=True)
        return events[0].position if events else None

    async def first_from(self, position: int) -> StoredEvent | None:
        """The first event at or after a position, the system's included. Raises InvalidPosition."""
        events = await self._all(position, system=True)
        return events[0] if events else None

    async def first_after(self, position: int) -> StoredEvent | None:
        """The first event after a position (-1: of all) that is not the system's. Raises InvalidPosition."""
        # A read from a position begins with the event that stands there.
        events = await self._all(None if position < 0 else position, limit=2)
        return next((event for event in events if event.position > position), None)

    async def last_until(self, position: int) -> StoredEvent | None:
        """The last event at or before a position that is not the system's. Raises InvalidPosition."""
        for event in await self._all(position):
            if event.position == position:
                return event
        events = await self._all(position, backwards=True)
        return events[0] if events else None

    async def stream_limits(self, stream: str) -> StreamLimits | None:
        """What of a stream may have been removed; None when nothing was ever set for it, or it is not there."""
        request = stream_request(f"$${stream}", None, 1, backwards=True)
        try:
            events = await self._retrying(lambda: self._read(request, stream))
        except StreamDeleted:
            return StreamLimits(deleted=True)
        return stream_limits(events[0].data) if events else None

    def subscribe(self, after: int | None, *, buffer: int = 8192) -> Subscription:
        """A catch-up subscription to `$all` after a position, reading at most `buffer` events ahead."""
        return Subscription(self._connection, after, buffer)

    async def ping(self) -> None:
        """Raises EventStoreUnavailable unless the store answers a read, within one attempt."""
        await self._read(all_request(None, 1, backwards=True), "$all")

    async def close(self) -> None:
        """Ends every call."""
        await self._appender.close()
        await self._connection.close()

    async def _all(
        self, position: int | None, *, limit: int = 1, backwards: bool = False, system: bool = False
    ) -> list[StoredEvent]:
        request = all_request(position, limit, backwards=backwards, system=system)
        return await self._retrying(lambda: self._read(request, "$all"))

    async def _read(self, request: object, stream: str) -> list[StoredEvent]:
        stub = await self._connection.stub()
        call = stub.Read(request, timeout=self._deadline, **self._connection.call_options())
        try:
            return [
                stored_event(response.event) async for response in call if response.WhichOneof("content") == "event"
            ]
        except grpc.RpcError as error:
            raise await self._connection.failed(error, stream) from error

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await attempt()
        except EventStoreUnavailable:
            return await retrying(attempt, on=EventStoreUnavailable, seconds=self._retry_timeout)
