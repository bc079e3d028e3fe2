"""Responses of an event store to a Read call, made by hand."""

from typing import Any

from esdbclient.protos.Grpc import shared_pb2, streams_pb2

CAUGHT_UP = streams_pb2.ReadResp(caught_up=streams_pb2.ReadResp.CaughtUp()).SerializeToString()


def event(position: int, data: bytes = b"{}") -> bytes:
    """A ReadResp with an event at a commit position."""
    recorded = streams_pb2.ReadResp.ReadEvent.RecordedEvent(
        id=shared_pb2.UUID(string=f"00000000-0000-0000-0000-{position:012}"),
        stream_identifier=shared_pb2.StreamIdentifier(stream_name=b"order-1"),
        stream_revision=position,
        metadata={"type": "Happened", "created": "17000000000000000", "content-type": "application/json"},
        data=data,
        custom_metadata=b"",
    )
    read = streams_pb2.ReadResp.ReadEvent(event=recorded, commit_position=position)
    return streams_pb2.ReadResp(event=read).SerializeToString()


def position_of(message: bytes) -> int:
    return streams_pb2.ReadResp.FromString(message).event.commit_position


def asked_after(request: Any) -> int:
    """The position after which a subscription is to begin; 0 is before the first event."""
    return request.options.all.position.commit_position if request.options.all.HasField("position") else 0
