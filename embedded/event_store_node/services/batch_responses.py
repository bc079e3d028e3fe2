"""Answers to the writes of a batch append: what became of each, and the errors that are told in-band."""

from esdbclient.protos.Grpc import code_pb2, shared_pb2, status_pb2, streams_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from embedded.event_store_node.log.events import ANY, NO_STREAM, STREAM_EXISTS
from embedded.event_store_node.log.writes import Appended, DeadlinePassed, Failed, Outcome, StreamDeleted, WrongVersion
from embedded.event_store_node.protocol.errors import MAX_APPEND_SIZE

Response = streams_pb2.BatchAppendResp


def response(outcome: Outcome, stream: bytes, expected: int) -> Response:
    """The answer to a write, still without the correlation id that tells which."""
    match outcome:
        case Appended(revision, position):
            at = shared_pb2.AllStreamPosition(commit_position=position, prepare_position=position)
            if revision < 0:
                return Response(success=Response.Success(no_stream=empty_pb2.Empty(), position=at))
            return Response(success=Response.Success(current_revision=revision, position=at))
        case WrongVersion(current):
            return Response(error=wrong_expected_version(expected, current))
        case StreamDeleted():
            return Response(error=stream_deleted(stream))
        case DeadlinePassed():
            return Response(error=timeout())
        case Failed(reason):
            return Response(error=unknown(reason))


# Errors


def _status(code: "code_pb2.Code.ValueType", message: str, detail: Message) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    status.details.Pack(detail)
    return status


def wrong_expected_version(expected: int, current: int) -> status_pb2.Status:
    detail = shared_pb2.WrongExpectedVersion()
    if current < 0:
        detail.current_no_stream.CopyFrom(empty_pb2.Empty())
    else:
        detail.current_stream_revision = current
    match expected:
        case _ if expected >= 0:
            detail.expected_stream_position = expected
        case _ if expected == ANY:
            detail.expected_any.CopyFrom(empty_pb2.Empty())
        case _ if expected == STREAM_EXISTS:
            detail.expected_stream_exists.CopyFrom(empty_pb2.Empty())
        case _ if expected == NO_STREAM:
            detail.expected_no_stream.CopyFrom(empty_pb2.Empty())
    return _status(code_pb2.ALREADY_EXISTS, "WrongExpectedVersion", detail)


def stream_deleted(stream: bytes) -> status_pb2.Status:
    identifier = shared_pb2.StreamIdentifier(stream_name=stream)
    return _status(code_pb2.NOT_FOUND, "StreamDeleted", shared_pb2.StreamDeleted(stream_identifier=identifier))


def access_denied() -> status_pb2.Status:
    return _status(code_pb2.PERMISSION_DENIED, "AccessDenied", shared_pb2.AccessDenied())


def timeout() -> status_pb2.Status:
    return _status(code_pb2.DEADLINE_EXCEEDED, "Timeout", shared_pb2.Timeout())


def maximum_append_size_exceeded() -> status_pb2.Status:
    detail = shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=MAX_APPEND_SIZE)
    return _status(code_pb2.INVALID_ARGUMENT, "MaximumAppendSizeExceeded", detail)


def bad_request(message: str) -> status_pb2.Status:
    return _status(code_pb2.INVALID_ARGUMENT, message, shared_pb2.BadRequest(message=message))


def unknown(message: str) -> status_pb2.Status:
    return _status(code_pb2.UNKNOWN, message, shared_pb2.Unknown())
