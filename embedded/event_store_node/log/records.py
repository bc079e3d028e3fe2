"""Protocol messages built as bytes: a record is serialised once and framed for each reader."""

from functools import lru_cache
from uuid import UUID

from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from embedded.event_store_node.log.events import LoggedEvent, ProposedEvent

RecordedEvent = streams_pb2.ReadResp.ReadEvent.RecordedEvent

# Keys (field number << 3 | wire type) of ReadResp and ReadResp.ReadEvent.
_READ_RESP_EVENT = b"\x0a"
_READ_EVENT_EVENT = b"\x0a"
_READ_EVENT_LINK = b"\x12"
_READ_EVENT_COMMIT_POSITION = b"\x18"

CAUGHT_UP = streams_pb2.ReadResp(caught_up=streams_pb2.ReadResp.CaughtUp()).SerializeToString()


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LENGTHS = [varint(n) for n in range(4096)]


def _length(chunk: bytes) -> bytes:
    size = len(chunk)
    return _LENGTHS[size] if size < 4096 else varint(size)


def record(event: ProposedEvent, stream: bytes, revision: int, position: int, created: int) -> bytes:
    """The recorded event's message; `created` is in ticks of 100 ns since the Unix epoch."""
    return b"".join(
        (
            _ID,
            _uuid_text(event.id),
            _stream_identifier(stream),
            b"\x18",
            varint(revision),
            b"\x20",
            at := varint(position),
            b"\x28",
            at,
            _type_entries(event.type, event.content_type),
            _entry("created", str(created)),
            b"\x3a" + _length(event.metadata) + event.metadata if event.metadata else b"",
            b"\x42" + _length(event.data) + event.data if event.data else b"",
        )
    )


# RecordedEvent.id with UUID.string, which is always 36 bytes long.
_ID = b"\x0a\x26\x12\x24"


def _uuid_text(id_: bytes) -> bytes:
    text = id_.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()


@lru_cache(4096)
def _stream_identifier(name: bytes) -> bytes:
    identifier: bytes = shared_pb2.StreamIdentifier(stream_name=name).SerializeToString()
    return b"\x12" + _length(identifier) + identifier


@lru_cache(4096)
def _type_entries(type_: str, content_type: str) -> bytes:
    return _entry("type", type_) + _entry("content-type", content_type)


def _entry(key: str, value: str) -> bytes:
    """One entry of RecordedEvent.metadata."""
    key_bytes, value_bytes = key.encode(), value.encode()
    entry = b"\x0a" + _length(key_bytes) + key_bytes + b"\x12" + _length(value_bytes) + value_bytes
    return b"\x32" + _length(entry) + entry


def read_event(event: LoggedEvent) -> bytes:
    """A ReadResp with the event as it stands in the log."""
    body = _READ_EVENT_EVENT + _length(event.record) + event.record
    return _framed(body, event.position)


def read_resolved(link: LoggedEvent, target: LoggedEvent | None) -> bytes:
    """A ReadResp with a link and, unless the link leads nowhere, the event that it points to."""
    body = _READ_EVENT_LINK + _length(link.record) + link.record
    if target is not None:
        body = _READ_EVENT_EVENT + _length(target.record) + target.record + body
    return _framed(body, link.position)


def _framed(body: bytes, position: int) -> bytes:
    body += _READ_EVENT_COMMIT_POSITION + varint(position)
    return _READ_RESP_EVENT + _length(body) + body


def with_structured_uuid(event: LoggedEvent) -> LoggedEvent:
    """The same event with its id as two 64-bit halves, for clients that ask for it."""
    message = RecordedEvent.FromString(event.record)
    bits = UUID(message.id.string).int
    message.id.structured.most_significant_bits = _signed(bits >> 64)
    message.id.structured.least_significant_bits = _signed(bits & (2**64 - 1))
    return event._replace(record=message.SerializeToString())


def uuid_bytes(uuid: shared_pb2.UUID) -> bytes:
    """
    The 16 bytes of a UUID in either form.

    Raises:
        ValueError: it is absent or malformed.
    """
    match uuid.WhichOneof("value"):
        case "string":
            return UUID(uuid.string).bytes
        case "structured":
            high = uuid.structured.most_significant_bits % 2**64
            low = uuid.structured.least_significant_bits % 2**64
            return high.to_bytes(8, "big") + low.to_bytes(8, "big")
        case _:
            raise ValueError("the id is missing")


def checkpoint(position: int) -> bytes:
    message: bytes = streams_pb2.ReadResp(
        checkpoint=streams_pb2.ReadResp.Checkpoint(commit_position=position, prepare_position=position)
    ).SerializeToString()
    return message


def confirmation(subscription_id: str) -> bytes:
    message: bytes = streams_pb2.ReadResp(
        confirmation=streams_pb2.ReadResp.SubscriptionConfirmation(subscription_id=subscription_id)
    ).SerializeToString()
    return message


def stream_not_found(stream: str) -> bytes:
    identifier = shared_pb2.StreamIdentifier(stream_name=stream.encode())
    message: bytes = streams_pb2.ReadResp(
        stream_not_found=streams_pb2.ReadResp.StreamNotFound(stream_identifier=identifier)
    ).SerializeToString()
    return message


def first_stream_position(revision: int) -> bytes:
    message: bytes = streams_pb2.ReadResp(first_stream_position=revision).SerializeToString()
    return message


def last_stream_position(revision: int) -> bytes:
    message: bytes = streams_pb2.ReadResp(last_stream_position=revision).SerializeToString()
    return message


def _signed(half: int) -> int:
    return half - 2**64 if half >= 2**63 else half
