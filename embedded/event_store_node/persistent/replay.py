"""Replaying parked messages: a bounded number at a time, until the parked stream is read to where it ended."""

from embedded.event_store_node.persistent.buffers import MessageBuffer
from embedded.event_store_node.persistent.parking import ParkedMessages


class Replay:
    """Moves a group's parked messages into its buffer. At most one replay is under way."""

    def __init__(self, parked: ParkedMessages, buffer: MessageBuffer) -> None:
        self._parked = parked
        self._buffer = buffer
        self._next = 0
        self._stop = 0
        self.is_active = False

    def begin(self, stop_at: int | None) -> None:
        """Replay up to a revision of the parked stream, exclusive, or up to its end."""
        if self.is_active:
            return
        self._next, end = self._parked.bounds()
        self._stop = end if stop_at is None else min(stop_at, end)
        self.is_active = self._next < self._stop
        self.read_more()

    def read_more(self) -> None:
        """Read on while there is room. Once all is read, the parked messages are forgotten."""
        while self.is_active and self._buffer.has_room_for_replay:
            messages, self._next = self._parked.page(self._next, self._stop)
            for message in messages:
                self._buffer.add_replayed(message)
            if self._next >= self._stop:
                self.is_active = False
                self._parked.truncate(self._stop)
