"""Errors as the server reports them: status, text and trailers of a call, in-band details of a batch."""

from collections.abc import Mapping
from typing import NoReturn

import grpc
import grpc.aio
from esdbclient.protos.Grpc import code_pb2, shared_pb2, status_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from embedded.event_store_node.log.events import ANY, NO_STREAM, STREAM_EXISTS

MAX_APPEND_SIZE = 2**20


class RpcError(Exception):
    """A call that ends with an error status; trailers tell errors apart without parsing texts."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Mapping[str, str] | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.trailers = trailers or {}

    async def abort(self, context: "grpc.aio.ServicerContext[object, object]") -> NoReturn:
        trailers = tuple((key, _header_value(value)) for key, value in self.trailers.items())
        await context.abort(self.code, self.details, trailers)


def _header_value(value: str) -> str:
    """Trailers are ASCII: what is not is escaped, as in the status text."""
    return value.encode("ascii", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")


def handler_failed() -> RpcError:
    return RpcError(grpc.StatusCode.UNKNOWN, "Exception was thrown by handler.")


def invalid_argument(details: str) -> RpcError:
    return RpcError(grpc.StatusCode.INVALID_ARGUMENT, details)


def unavailable(details: str) -> RpcError:
    return RpcError(grpc.StatusCode.UNAVAILABLE, details)


def timed_out(operation: str) -> RpcError:
    return RpcError(grpc.StatusCode.ABORTED, f"Operation timed out: {operation}")


def stream_deleted(stream: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"Event stream '{stream}' is deleted.",
        {"exception": "stream-deleted", "stream-name": stream},
    )


def wrong_expected_version(operation: str, stream: str, expected: int, actual: int) -> RpcError:
    return RpcError(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"{operation} failed due to WrongExpectedVersion. Stream: {stream}, "
        f"Expected version: {expected}, Actual version: {actual}",
        {
            "exception": "wrong-expected-version",
            "stream-name": stream,
            "expected-version": str(expected),
            "actual-version": str(actual),
        },
    )


def maximum_append_size_exceeded() -> RpcError:
    return RpcError(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"Maximum Append Size of {MAX_APPEND_SIZE} Exceeded.",
        {"exception": "maximum-append-size-exceeded", "maximum-append-size": str(MAX_APPEND_SIZE)},
    )


def required_metadata_missing(key: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"Required Metadata Property '{key}' is missing",
        {
            "exception": "missing-required-metadata-property",
            "required-metadata-properties": "type,content-type",
        },
    )


def unauthenticated() -> RpcError:
    return RpcError(grpc.StatusCode.UNAUTHENTICATED, "Unauthenticated")


def access_denied() -> RpcError:
    return RpcError(grpc.StatusCode.PERMISSION_DENIED, "Access Denied", {"exception": "access-denied"})


# In-band errors of a batch append


def _status(code: "code_pb2.Code.ValueType", message: str, detail: Message) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    status.details.Pack(detail)
    return status


def wrong_expected_version_status(expected: int, current: int) -> status_pb2.Status:
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


def stream_deleted_status(stream: bytes) -> status_pb2.Status:
    identifier = shared_pb2.StreamIdentifier(stream_name=stream)
    return _status(code_pb2.NOT_FOUND, "StreamDeleted", shared_pb2.StreamDeleted(stream_identifier=identifier))


def access_denied_status() -> status_pb2.Status:
    return _status(code_pb2.PERMISSION_DENIED, "AccessDenied", shared_pb2.AccessDenied())


def timeout_status() -> status_pb2.Status:
    return _status(code_pb2.DEADLINE_EXCEEDED, "Timeout", shared_pb2.Timeout())


def maximum_append_size_exceeded_status() -> status_pb2.Status:
    detail = shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=MAX_APPEND_SIZE)
    return _status(code_pb2.INVALID_ARGUMENT, "MaximumAppendSizeExceeded", detail)


def bad_request_status(message: str) -> status_pb2.Status:
    return _status(code_pb2.INVALID_ARGUMENT, message, shared_pb2.BadRequest(message=message))


def unknown_status(message: str) -> status_pb2.Status:
    return _status(code_pb2.UNKNOWN, message, shared_pb2.Unknown())
