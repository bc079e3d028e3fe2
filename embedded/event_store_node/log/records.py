"""Records: each event's message of the protocol, made as bytes once, stored, and sent to every reader."""

from functools import lru_cache
from uuid import UUID

from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from embedded.event_store_node.log.events import LoggedEvent, ProposedEvent
from embedded.event_store_node.log.varint import length_of, varint

RecordedEvent = streams_pb2.ReadResp.ReadEvent.RecordedEvent


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
            b"\x3a" + length_of(event.metadata) + event.metadata if event.metadata else b"",
            b"\x42" + length_of(event.data) + event.data if event.data else b"",
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
    return b"\x12" + length_of(identifier) + identifier


@lru_cache(4096)
def _type_entries(type_: str, content_type: str) -> bytes:
    return _entry("type", type_) + _entry("content-type", content_type)


def _entry(key: str, value: str) -> bytes:
    """One entry of RecordedEvent.metadata."""
    key_bytes, value_bytes = key.encode(), value.encode()
    entry = b"\x0a" + length_of(key_bytes) + key_bytes + b"\x12" + length_of(value_bytes) + value_bytes
    return b"\x32" + length_of(entry) + entry


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


def _signed(half: int) -> int:
    return half - 2**64 if half >= 2**63 else half
