"""Errors as the server reports them: status, text and trailers of a call."""

from collections.abc import Mapping
from typing import NoReturn

import grpc
import grpc.aio

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
