"""Published events as server-sent events, for those who have no broker: each reads the log from its own place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

import msgspec

from event_relay.metrics import STREAM_CONNECTIONS, STREAM_EVENTS
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from infrastructure.integration.cloud_event import structured
from infrastructure.integration.publisher import Publisher
from subscriptions.decoding import Incoming, decode_batch
from subscriptions.ports import Batches, EventLog

UNREADABLE = "unreadable"


class EventStream:
    """Times are in seconds: after `heartbeat` without an event a reader is told how far it is, and after `lasts` its
    stream ends, so that it asks again, with a token that is valid then. At most `most` read at a time, each with
    `buffer` events waiting, or as many as have `max_bytes` bytes: a reader that is slow slows down its own reading of
    the log, and only when it has taken all is more fetched for it.
    """

    def __init__(
        self,
        log: EventLog,
        codec: EventCodec,
        publisher: Publisher,
        *,
        heartbeat: float = 15.0,
        lasts: float = 3_600.0,
        most: int = 64,
        buffer: int = 32,
        max_bytes: int = 256 * 1024,
    ) -> None:
        self._log = log
        self._codec = codec
        self._publisher = publisher
        self._heartbeat = heartbeat
        self._lasts = lasts
        self._most = most
        self._buffer = buffer
        self._max_bytes = max_bytes
        self._stopped = asyncio.Event()
        self.readers = 0

    @property
    def is_full(self) -> bool:
        """Whether no more may read."""
        return self.readers >= self._most

    def stop(self) -> None:
        """Ends every stream."""
        self._stopped.set()

    async def read(self, after: int | None, wants: Callable[[str], bool]) -> AsyncIterator[bytes]:
        """What is published as one of the types wanted of the events after a position, from the log's first event where
        it is None; then what is yet to come."""
        self.readers += 1
        STREAM_CONNECTIONS.inc()
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            async with self._log.subscribe(after, buffer=self._buffer, max_bytes=self._max_bytes) as batches:
                async for part in self._parts(batches, wants, stopped):
                    yield part
        finally:
            stopped.cancel()
            self.readers -= 1
            STREAM_CONNECTIONS.dec()

    async def _parts(
        self, batches: Batches, wants: Callable[[str], bool], stopped: "asyncio.Task[bool]"
    ) -> AsyncIterator[bytes]:
        until = monotonic() + self._lasts
        position: int | None = None
        yield b": published events\n\n"
        coming = asyncio.create_task(batches.next_batch())
        try:
            while (left := until - monotonic()) > 0 and not stopped.done():
                silence = min(self._heartbeat, left)
                await asyncio.wait({coming, stopped}, timeout=silence, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    # An id alone is no event to a browser, but where it goes on from when the connection is lost.
                    yield b": still here\n\n" if position is None else f"id: {position}\n\n".encode()
                    continue
                batch = coming.result()
                position = batch.position if batch.position is not None else position
                decoded = await decode_batch(self._codec, batch.events, position or 0, caught_up=batch.caught_up)
                for incoming in decoded.events:
                    for part in self._told(incoming, wants):
                        yield part
                coming = asyncio.create_task(batches.next_batch())
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    def _told(self, incoming: Incoming, wants: Callable[[str], bool]) -> list[bytes]:
        """Only the last that is published of an event has its position: who has lost the connection before gets all of
        them again."""
        if incoming.recorded is None:
            return [] if incoming.stored.is_of_the_store else [_unreadable(incoming.stored)]
        events = [one for one in self._publisher.publish(incoming.stored, incoming.recorded) if wants(one.type)]
        STREAM_EVENTS.inc(len(events))
        parts = [f"event: {one.type}\ndata: ".encode() + structured(one) + b"\n" for one in events]
        if parts:
            parts[-1] += f"id: {incoming.stored.position}\n".encode()
        return [part + b"\n" for part in parts]


def _unreadable(stored: StoredEvent) -> bytes:
    """Says that an event can't be read, instead of passing over it silently."""
    told = msgspec.json.encode({"position": stored.position, "type": stored.type})
    return f"event: {UNREADABLE}\ndata: ".encode() + told + f"\nid: {stored.position}\n\n".encode()
