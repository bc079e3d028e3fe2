"""A catch-up subscription to `$all`, handed out in batches that grow with the backlog.

A task reads ahead while the caller works on the batch before; a full buffer stops the reading, and HTTP/2's flow
control then stops the server, so memory is bounded whatever the log's size.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import grpc
from msgspec import Struct

from infrastructure.event_store.connection import Connection
from infrastructure.event_store.errors import EventStoreUnavailable
from infrastructure.event_store.events import StoredEvent
from infrastructure.event_store.http2.window import WINDOW_BYTES
from infrastructure.event_store.reads import is_for_us, stored_event, subscription_request
from infrastructure.event_store.responses import Chunks

MAX_BUFFERED_BYTES = 32 * 1024 * 1024
"""What a subscription reads ahead at most, where nothing else is said."""

# HTTP/2's own default: with less, every few events would wait for us.
_SMALLEST_WINDOW = 64 * 1024
# While there is a backlog, a batch waits for this part of the buffer to fill, but not longer than so many seconds:
# the fixed cost of a batch is then shared by many events. Once caught up, every event is handed out at once.
_WORTHWHILE_PART = 4
_LONGEST_WAIT = 0.15

Begin = Callable[[Any, Callable[[], bool], int], Awaitable[Chunks]]
"""begin(request, low_latency, window), as for `responses`."""


class Batch(Struct, frozen=True):
    """What came since the last batch, in commit order.

    `position` is the commit position up to which the log has been considered: every event at or below it that is not
    a system event has been handed out. `caught_up` says that the server had nothing more when it sent the last of it.
    """

    events: list[StoredEvent]
    position: int | None
    caught_up: bool


class Subscription:
    """Reads from after `after` (None: from the first event) until its block ends or it fails.

    At most `buffer` events are read ahead, or as many as have `max_bytes` bytes, and as much again is let in by the
    window of HTTP/2. `begin` gives the chunks of a request's responses. Raises EventStoreUnavailable when the server
    can't be reached, and from `next_batch` when it drops the subscription: subscribe again after the last position.
    """

    def __init__(
        self,
        connection: Connection,
        begin: Begin,
        after: int | None,
        buffer: int,
        max_bytes: int = MAX_BUFFERED_BYTES,
    ) -> None:
        self._connection = connection
        self._begin = begin
        self._after = after
        self._buffer = buffer
        self._max_bytes = max_bytes
        self._events: list[StoredEvent] = []
        self._bytes = 0
        self._position: int | None = after
        self._caught_up = False
        self._worthwhile = max(1, buffer // _WORTHWHILE_PART)
        self._timer: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._reader: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        window = max(_SMALLEST_WINDOW, min(WINDOW_BYTES, self._max_bytes))
        chunks = await self._begin(subscription_request(self._after), lambda: self._caught_up, window)
        self._reader = asyncio.create_task(self._read(chunks))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_timer()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def next_batch(self) -> Batch:
        """Waits until there is something new, then hands out all that has been read ahead."""
        while not self._news.is_set():
            await self._news.wait()
        self._news.clear()
        self._stop_timer()
        batch = Batch(self._events, self._position, self._caught_up)
        if self._failure is not None:
            self._news.set()  # the failure is reported next time, after what was read before it
            if not batch.events:
                raise self._failure
        self._events, self._bytes = [], 0
        self._room.set()
        return batch

    async def _read(self, chunks: Chunks) -> None:
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    for response in chunk:
                        self._take(response)
                        if len(self._events) >= self._buffer or self._bytes >= self._max_bytes:
                            self._room.clear()
                            await self._room.wait()
            self._failure = EventStoreUnavailable("the event store ended the subscription")
        except grpc.RpcError as error:
            self._failure = self._connection.failed(error)
        except Exception as error:
            self._failure = error
        self._news.set()

    def _take(self, response: Any) -> None:
        kind = response.WhichOneof("content")
        if kind == "event":
            event = stored_event(response.event)
            if is_for_us(event):
                self._events.append(event)
                self._bytes += len(event.data) + len(event.metadata)
            self._position = event.position
        elif kind == "checkpoint":
            self._position = response.checkpoint.commit_position
        elif kind == "caught_up":
            self._caught_up = True
        elif kind == "fell_behind":
            self._caught_up = False
        else:
            return
        self._announce()

    def _announce(self) -> None:
        if self._caught_up or len(self._events) >= self._worthwhile or self._bytes >= self._max_bytes:
            self._news.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LONGEST_WAIT, self._news.set)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
