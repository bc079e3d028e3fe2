"""HTTP/2 frames as far as this reader handles them itself (RFC 9113, section 4.1 and 6).

h2 takes 9 microseconds for a DATA frame, more than everything else that is done for an event, and servers send a frame
or more per event: so DATA frames do not go through it. Nor does GOAWAY, after which h2 would take nothing more, though
the server may finish the call.
"""

import struct

DATA = 0x0
HEADERS = 0x1
PUSH_PROMISE = 0x5
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8

HEADER_BYTES = 9
HEADER = struct.Struct(">BHBBI")
"""Length (8 high and 16 low bits), type, flags, stream; the highest bit of the stream is ignored."""

STREAM_BITS = 0x7FFF_FFFF
MAX_FRAME_BYTES = 16_384
"""What a server may send in one frame: the protocol's own default, which we leave as it is."""


class ProtocolBroken(Exception):
    """The server breaks the rules of HTTP/2 or gRPC; the connection can't be used any more."""


def unpadded(payload: bytes) -> bytes:
    """The payload of a PADDED frame without its padding. Raises ProtocolBroken where the padding is all there is."""
    if not payload or payload[0] >= len(payload):
        raise ProtocolBroken("padding as long as its frame")
    return payload[1 : len(payload) - payload[0]]


def goaway(payload: bytes) -> tuple[int, int, str]:
    """Last stream, error code and debug data of a GOAWAY frame. Raises ProtocolBroken when it is too short."""
    if len(payload) < 8:
        raise ProtocolBroken("a GOAWAY frame that is too short")
    last = int.from_bytes(payload[:4], "big") & STREAM_BITS
    return last, int.from_bytes(payload[4:8], "big"), payload[8:264].decode(errors="replace")


def window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame: the server may send `increment` bytes more on the stream (0: on the connection)."""
    return HEADER.pack(0, 4, WINDOW_UPDATE, 0, stream) + increment.to_bytes(4, "big")
