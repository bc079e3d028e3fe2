"""Length-prefixed messages out of a stream of bytes (gRPC over HTTP/2, "Length-Prefixed-Message")."""

from infrastructure.event_store.http2.frames import ProtocolBroken

PREFIX_BYTES = 5
MAX_MESSAGE_BYTES = 17 * 1024 * 1024
"""The same limit that esdbclient sets for its channel: the largest event that a server takes, and some more."""


class MessageTooLarge(Exception):
    """A message beyond the limit is announced; none of it is stored."""


def prefixed(message: bytes) -> bytes:
    """The message as it goes over the wire, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class MessageSplitter:
    """Puts messages together, wherever the DATA frames cut them, and appends the complete ones to `messages`."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._partial = bytearray()
        self._needed = PREFIX_BYTES  # bytes until something can be done: a prefix, or a message with its prefix

    @property
    def between_messages(self) -> bool:
        """Whether there is no part of an incomplete message."""
        return not self._partial

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the stream. Raises ProtocolBroken on a compressed message, and MessageTooLarge."""
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial = bytearray()
        at, size, self._needed = 0, len(data), PREFIX_BYTES
        while size - at >= PREFIX_BYTES:
            start = at + PREFIX_BYTES
            end = start + int.from_bytes(data[at + 1 : start], "big")
            if data[at]:
                raise ProtocolBroken("a compressed message, though none was asked for")
            if end - start > MAX_MESSAGE_BYTES:
                raise MessageTooLarge(f"a message of {end - start} bytes; the limit is {MAX_MESSAGE_BYTES}")
            if end > size:
                self._needed = end - at
                break
            self.messages.append(data[start:end])
            at = end
        if at < size:
            self._partial += data[at:]
