"""ReadResp messages built as bytes: a record is framed for each reader, not serialised anew."""

from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.varint import length_of, varint

# Keys (field number << 3 | wire type) of ReadResp and ReadResp.ReadEvent.
_READ_RESP_EVENT = b"\x0a"
_READ_EVENT_EVENT = b"\x0a"
_READ_EVENT_LINK = b"\x12"
_READ_EVENT_COMMIT_POSITION = b"\x18"

CAUGHT_UP = streams_pb2.ReadResp(caught_up=streams_pb2.ReadResp.CaughtUp()).SerializeToString()


def read_event(event: LoggedEvent) -> bytes:
    """A ReadResp with the event as it stands in the log."""
    body = _READ_EVENT_EVENT + length_of(event.record) + event.record
    return _framed(body, event.position)


def read_resolved(link: LoggedEvent, target: LoggedEvent | None) -> bytes:
    """A ReadResp with a link and, unless the link leads nowhere, the event that it points to."""
    body = _READ_EVENT_LINK + length_of(link.record) + link.record
    if target is not None:
        body = _READ_EVENT_EVENT + length_of(target.record) + target.record + body
    return _framed(body, link.position)


def _framed(body: bytes, position: int) -> bytes:
    body += _READ_EVENT_COMMIT_POSITION + varint(position)
    return _READ_RESP_EVENT + length_of(body) + body


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
