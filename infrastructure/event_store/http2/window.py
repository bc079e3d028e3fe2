"""How much a server may send before it must wait for us (RFC 9113, section 5.2)."""

from infrastructure.event_store.http2.frames import ProtocolBroken

WINDOW_BYTES = 4 * 1024 * 1024
"""What a server may send ahead: 80 ms of a fast connection at 50 MB/s, and the most that can wait here unread."""

# Telling the server of every few bytes would cost a system call each time.
_WORTHWHILE_PART = 4


class ReceiveWindow:
    """The flow-control window, alike for the connection and its only stream.

    Space is given back only when the bytes have been taken, so that a slow reader stops the server.
    """

    def __init__(self, size: int = WINDOW_BYTES) -> None:
        self.size = size
        self._left = size

    def received(self, count: int) -> None:
        """Counts the payload of a DATA frame, padding included. Raises ProtocolBroken when it was more than allowed."""
        self._left -= count
        if self._left < 0:
            raise ProtocolBroken("the server sent more than the flow-control window allows")

    def give_back(self) -> int:
        """By how many bytes to open the window, now that all that was received has been taken; 0: not worth it yet."""
        owed = self.size - self._left
        if owed * _WORTHWHILE_PART < self.size:
            return 0
        self._left = self.size
        return owed
