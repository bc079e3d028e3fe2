"""The event store as the services see it: append, read, subscribe."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Self, TypeVar

import grpc

from infrastructure.event_store.appender import Appender
from infrastructure.event_store.connection import KEEP_ALIVE, Connection
from infrastructure.event_store.errors import EventStoreUnavailable, StreamDeleted, WrongExpectedRevision
from infrastructure.event_store.events import Appended, NewEvent, StoredEvent, StreamSlice
from infrastructure.event_store.http2 import KeepAliveTimes
from infrastructure.event_store.http2.window import WINDOW_BYTES
from infrastructure.event_store.metrics import append_measured
from infrastructure.event_store.reader_choice import Reader
from infrastructure.event_store.reads import all_request, is_for_us, stored_event, stream_request
from infrastructure.event_store.responses import Chunks, never_low_latency, responses
from infrastructure.event_store.stream_metadata import StreamMetadata, metadata_stream
from infrastructure.event_store.subscription import MAX_BUFFERED_BYTES, Subscription
from infrastructure.resilience import Guard, GuardedPlaces, State, retrying
from infrastructure.settings import Settings
from infrastructure.telemetry.store_spans import stream_span

T = TypeVar("T")

_UNLIMITED = 2**63 - 1
# A new node begins with a few; where there are more, whoever follows the log comes past them all the same.
_SYSTEM_EVENTS_SKIPPED = 16


class EventStore:
    """An EventStoreDB (KurrentDB) cluster, a single node or the embedded node, behind a connection string.

    `deadline` bounds in seconds how long one attempt at a call may take, and how long the store may be silent before
    that is noticed; a call is repeated while the store can't be reached, for `retry_timeout` seconds. A store that is
    found silent or away is probed every `probe_interval` seconds, on a new connection; until it answers, every call
    raises EventStoreUnavailable at once, as does one that comes when `concurrency` are under way and `queue` wait.
    `reader` receives the responses of subscriptions and of `read_all`;
    `keep_alive` says when a silent connection is pinged. It connects at the first call.
    """

    def __init__(
        self,
        uri: str,
        *,
        retry_timeout: float = 2.0,
        deadline: float = 5.0,
        reader: Reader = "auto",
        keep_alive: KeepAliveTimes = KEEP_ALIVE,
        probe_interval: float = 1.0,
        concurrency: int = 256,
        queue: int = 4096,
    ) -> None:
        self._connection = Connection(uri, reader, keep_alive)
        self._appender = Appender(self._connection, deadline)
        self._retry_timeout = retry_timeout
        self._deadline = deadline
        self._guard = Guard(
            "event_store",
            self._probe,
            silence=deadline,
            probe_interval=probe_interval,
            away=EventStoreUnavailable,
            unavailable=EventStoreUnavailable,
            on_open=self._drop,
        )
        self._places = GuardedPlaces(self._guard, concurrency, queue, EventStoreUnavailable)

    @property
    def circuit(self) -> State:
        """Whether calls are let through; for /health/ready."""
        return self._guard.circuit

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The event store that the settings name."""
        given = settings.event_store
        return cls(
            given.uri,
            retry_timeout=given.retry_timeout,
            deadline=given.deadline,
            reader=given.reader,
            keep_alive=KeepAliveTimes(given.keepalive_interval, given.keepalive_timeout),
            probe_interval=settings.resilience.probe_interval,
            concurrency=given.concurrency,
            queue=given.queue,
        )

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended:
        """Appends `events` after revision `expected` (NO_STREAM: the stream must be new), all or none. It is repeated
        while the store can't be reached: with the same ids and an exact revision that is idempotent. Raises
        WrongExpectedRevision, StreamDeleted, AppendRefused, or EventStoreUnavailable (outcome unknown)."""
        refusals = (WrongExpectedRevision, StreamDeleted)
        with append_measured(len(events)), stream_span("append", stream, len(events), refusals=refusals):
            return await self._call(lambda: self._appender.append(stream, expected, events))

    async def read_stream(self, stream: str, from_revision: int = 0, limit: int = _UNLIMITED) -> list[StoredEvent]:
        """The stream's events from a revision on; none when there is no such stream.

        Raises StreamDeleted or EventStoreUnavailable.
        """
        return (await self.read_slice(stream, from_revision, limit)).events

    async def read_slice(self, stream: str, from_revision: int = 0, limit: int = _UNLIMITED) -> StreamSlice:
        """As `read_stream`, and whether there is such a stream. Raises StreamDeleted or EventStoreUnavailable."""
        request = stream_request(stream, from_revision, limit)
        with stream_span("read", stream, refusals=(StreamDeleted,)):
            return await self._call(lambda: self._read_slice(request, stream))

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]:
        """The stream's last events, the newest first; none when there is no such stream.

        Raises StreamDeleted or EventStoreUnavailable.
        """
        request = stream_request(stream, None, limit, backwards=True)
        with stream_span("read", stream, refusals=(StreamDeleted,)):
            return await self._call(lambda: self._read(request, stream))

    async def metadata_of(self, stream: str) -> StreamMetadata:
        """What the stream's metadata says. Raises StreamDeleted (tombstoned) or EventStoreUnavailable."""
        newest = await self.read_newest(metadata_stream(stream), 1)
        return StreamMetadata.parse(newest[0].data) if newest else StreamMetadata()

    async def read_all(self, after: int | None = None) -> AsyncIterator[StoredEvent]:
        """Every event but the system's, and every change of a stream's metadata, in commit order, after a position.

        Raises EventStoreUnavailable.
        """
        self._guard.check()
        try:
            async with aclosing(await self._begin(all_request(after, _UNLIMITED))) as chunks:
                async for chunk in chunks:
                    for response in chunk:
                        if response.WhichOneof("content") != "event":
                            continue
                        # A read from a position begins with the event at that position, a subscription after it.
                        event = stored_event(response.event)
                        if is_for_us(event) and (after is None or event.position > after):
                            yield event
        except grpc.RpcError as error:
            raise self._connection.failed(error) from error

    async def last_position(self) -> int | None:
        """The commit position of the newest event that is not the system's; None on an empty log."""
        for limit in (1, _SYSTEM_EVENTS_SKIPPED):
            events = await self._call(partial(self._read, all_request(None, limit, backwards=True), "$all"))
            for event in events:
                if is_for_us(event):
                    return event.position
        return events[0].position if len(events) == limit else None

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
        """The first event after a position (-1: of all) of an aggregate. Raises InvalidPosition."""
        start = None if position < 0 else position
        while True:
            # A read from a position begins with the event that stands there.
            events = await self._all(start, limit=_SYSTEM_EVENTS_SKIPPED)
            for event in events:
                if event.position > position and not event.is_of_the_store:
                    return event
            if len(events) < _SYSTEM_EVENTS_SKIPPED:
                return None
            start = events[-1].position

    async def last_until(self, position: int) -> StoredEvent | None:
        """The last event at or before a position of an aggregate. Raises InvalidPosition."""
        for event in await self._all(position):
            if event.position == position and not event.is_of_the_store:
                return event
        start = position
        while True:
            # A read backwards from a position begins with the event before it.
            events = await self._all(start, limit=_SYSTEM_EVENTS_SKIPPED, backwards=True)
            for event in events:
                if not event.is_of_the_store:
                    return event
            if len(events) < _SYSTEM_EVENTS_SKIPPED:
                return None
            start = events[-1].position

    def subscribe(self, after: int | None, *, buffer: int = 8192, max_bytes: int = MAX_BUFFERED_BYTES) -> Subscription:
        """A catch-up subscription to `$all` after a position, at most so many events and about so many bytes ahead."""
        return Subscription(self._connection, self._begin_when_there, after, buffer, max_bytes)

    async def ping(self) -> None:
        """Raises EventStoreUnavailable unless the store answers a read, within one attempt."""
        self._guard.check()
        await self._ask()

    async def close(self) -> None:
        """Ends every call."""
        await self._guard.close()
        await self._appender.close()
        await self._connection.close()

    async def _all(
        self, position: int | None, *, limit: int = 1, backwards: bool = False, system: bool = False
    ) -> list[StoredEvent]:
        request = all_request(position, limit, backwards=backwards, system=system)
        return await self._call(lambda: self._read(request, "$all"))

    async def _ask(self) -> None:
        await self._read(all_request(None, 1, backwards=True), "$all")

    async def _probe(self) -> None:
        # It waits for a connection, so that it gets through as soon as there is one.
        await self._read(
            all_request(None, 1, backwards=True), "$all", wait_for_ready=not self._connection.several_nodes
        )

    def _drop(self) -> None:
        self._appender.drop()
        self._connection.drop()

    async def _begin(
        self, request: object, low_latency: Callable[[], bool] = never_low_latency, window: int = WINDOW_BYTES
    ) -> Chunks:
        try:
            async with asyncio.timeout(self._deadline):
                return await responses(self._connection, request, low_latency, window)
        except TimeoutError:
            raise EventStoreUnavailable(f"no connection within {self._deadline:g} s") from None

    async def _begin_when_there(self, request: object, low_latency: Callable[[], bool], window: int) -> Chunks:
        # Not refused at once: whoever subscribes would only come back again and again, and be late in the end.
        await self._guard.until_closed(self._deadline)
        return await self._begin(request, low_latency, window)

    async def _read(self, request: object, stream: str, *, wait_for_ready: bool = False) -> list[StoredEvent]:
        return (await self._read_slice(request, stream, wait_for_ready=wait_for_ready)).events

    async def _read_slice(self, request: object, stream: str, *, wait_for_ready: bool = False) -> StreamSlice:
        stub = await self._connection.stub()
        options = self._connection.call_options()
        call = stub.Read(request, timeout=self._deadline, wait_for_ready=wait_for_ready, **options)
        events, found = [], True
        try:
            async for response in call:
                kind = response.WhichOneof("content")
                if kind == "event":
                    events.append(stored_event(response.event))
                elif kind == "stream_not_found":
                    found = False
            return StreamSlice(events, found)
        except grpc.RpcError as error:
            raise self._connection.failed(error, stream) from error

    async def _call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        return await self._places.call(lambda: self._retrying(attempt), max(self._deadline, self._retry_timeout))

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        if self._retry_timeout > self._deadline:  # else the call has no more time than one attempt
            attempt = partial(self._bounded, attempt)
        try:
            return await attempt()
        except EventStoreUnavailable:
            return await retrying(attempt, on=EventStoreUnavailable, seconds=self._retry_timeout)

    async def _bounded(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._deadline):
                return await attempt()
        except TimeoutError:
            raise EventStoreUnavailable(f"no answer within {self._deadline:g} s") from None
