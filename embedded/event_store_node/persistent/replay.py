"""Replaying parked messages: a bounded number at a time, until the parked stream is read to where it ended."""

import asyncio
from collections.abc import Callable

from embedded.event_store_node.persistent.buffers import MessageBuffer
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.parking import ParkedMessages


class Replay:
    """
    Moves a group's parked messages into its buffer and calls `on_read` for each page. At most one replay is under
    way. The parked stream forgets a message once it is done with: a restart before that parks it again.
    """

    def __init__(self, parked: ParkedMessages, buffer: MessageBuffer, on_read: Callable[[], None]) -> None:
        self._parked = parked
        self._buffer = buffer
        self._on_read = on_read
        # The revisions of the parked stream to go on at and to stop at, and below which it is truncated.
        self._next = 0
        self._stop = 0
        self._truncated = 0
        # The revisions of the messages that are replayed and not done with, rising.
        self._open: dict[bytes, int] = {}
        self._reading: asyncio.Handle | None = None
        self.is_active = False

    def parked_count(self) -> int:
        """How many messages are parked and not replayed."""
        first, end = self._parked.bounds()
        return max(0, end - max(first, self._next))

    def begin(self, stop_at: int | None) -> None:
        """Replay up to a revision of the parked stream, exclusive, or up to its end."""
        if self.is_active:
            return
        first, end = self._parked.bounds()
        self._next = max(first, self._next)
        self._stop = end if stop_at is None else min(stop_at, end)
        self.is_active = self._next < self._stop
        self.read_more()

    def read_more(self) -> None:
        """Read a page if there is room, and others soon: one to a turn of the loop."""
        if not self.is_active or self._reading is not None or not self._buffer.has_room_for_replay:
            return
        messages, self._next = self._parked.page(self._next, self._stop)
        for message in messages:
            self._open[message.id] = message.original.revision
            self._buffer.add_replayed(message)
        self.is_active = self._next < self._stop
        if self.is_active:
            self._reading = asyncio.get_running_loop().call_soon(self._read_on)
        else:
            self._truncate_if_done()

    def _read_on(self) -> None:
        self._reading = None
        self.read_more()
        self._on_read()

    def finish(self, message: Message) -> None:
        """A replayed message is done with."""
        self._open.pop(message.id, None)
        self._truncate_if_done()

    def _truncate_if_done(self) -> None:
        if not self._open and not self.is_active:
            self.truncate()

    def truncate(self) -> None:
        """Let the parked stream forget what is done with, if it has not yet."""
        done = next(iter(self._open.values()), self._next)
        if done > self._truncated:
            self._truncated = done
            self._parked.truncate(done)

    def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self.is_active = False
