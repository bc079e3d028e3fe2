"""The way from the writer to live subscribers: bounded buffers in memory, filled after each commit."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from embedded.event_store_node.log.events import LoggedEvent

# What one subscriber may lag behind before it has to read the log again.
MAX_BUFFERED_EVENTS = 2048
MAX_BUFFERED_BYTES = 8 * 2**20


# Whether a subscriber that waits is done with these events already.
Skips = Callable[[Sequence[LoggedEvent]], bool]


class BrokerClosedError(Exception):
    """The node is shutting down: no more events will come."""


class Listener(Protocol):
    """Takes committed events as they come. Called while events are published: quick, and never raises."""

    def offer(self, events: Sequence[LoggedEvent]) -> None: ...

    def close(self) -> None:
        """The node is shutting down: no more events will come."""


class LiveBuffer:
    """
    The events committed since a subscriber last took them, unless they were too many to keep. While it waits for
    events, `skips` may take note of some so that the subscriber need not be woken for them.
    """

    def __init__(self, skips: Skips | None = None) -> None:
        self._skips = skips
        self._is_waiting = False
        self._events: list[LoggedEvent] = []
        self._size = 0
        self._overflowed = False
        self._closed = False
        self._changed = asyncio.Event()

    def offer(self, events: Sequence[LoggedEvent]) -> None:
        if self._overflowed:
            return
        if self._is_waiting and not self._events and self._skips is not None and self._skips(events):
            return
        self._events.extend(events)
        self._size += sum(len(event.record) for event in events)
        if len(self._events) > MAX_BUFFERED_EVENTS or self._size > MAX_BUFFERED_BYTES:
            self._overflowed = True
            self._events = []
        self._changed.set()

    def reset(self) -> None:
        """Begin anew, with the events committed from now on."""
        self._events = []
        self._size = 0
        self._overflowed = False

    async def take(self) -> list[LoggedEvent] | None:
        """
        Wait for events and take them all; None when some were lost, until `reset`.

        Raises:
            BrokerClosedError: the node is shutting down.
        """
        while not self._events and not self._overflowed and not self._closed:
            self._changed.clear()
            self._is_waiting = True
            try:
                await self._changed.wait()
            finally:
                self._is_waiting = False
        if self._closed:
            raise BrokerClosedError
        if self._overflowed:
            return None
        events, self._events, self._size = self._events, [], 0
        return events

    def close(self) -> None:
        self._closed = True
        self._changed.set()


class Broker:
    """Passes committed events on to the subscribers' buffers. For the event loop's thread."""

    def __init__(self, last_position: int) -> None:
        self.last_position = last_position
        self.is_closed = False
        self._to_all: set[Listener] = set()
        self._to_stream: dict[str, set[Listener]] = {}

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Pass on events that were just committed, in position order."""
        self.last_position = events[-1].position
        for listener in self._to_all:
            listener.offer(events)
        if self._to_stream:
            for event in events:
                for listener in self._to_stream.get(event.stream, ()):
                    listener.offer((event,))

    def add(self, listener: Listener, stream: str | None = None) -> None:
        """Pass the events of one stream, or of all, on to a listener from now on."""
        listeners = self._to_all if stream is None else self._to_stream.setdefault(stream, set())
        listeners.add(listener)
        if self.is_closed:
            listener.close()

    def remove(self, listener: Listener, stream: str | None = None) -> None:
        listeners = self._to_all if stream is None else self._to_stream.get(stream, set())
        listeners.discard(listener)
        if stream is not None and not listeners:
            self._to_stream.pop(stream, None)

    @contextmanager
    def subscription(self, stream: str | None = None, skips: Skips | None = None) -> Iterator[LiveBuffer]:
        """A buffer for the events of one stream, or of all."""
        buffer = LiveBuffer(skips)
        self.add(buffer, stream)
        try:
            yield buffer
        finally:
            self.remove(buffer, stream)

    def close(self) -> None:
        """End every subscription."""
        self.is_closed = True
        for listeners in (self._to_all, *self._to_stream.values()):
            for listener in listeners:
                listener.close()
