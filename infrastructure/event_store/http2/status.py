"""How a call ended: gRPC's status, from trailers, HTTP status or HTTP/2 error code."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import grpc

Headers = tuple[tuple[str, str], ...]

_Code = grpc.StatusCode
_BY_NUMBER: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

# "HTTP to gRPC Status Code Mapping", for responses that do not come from a gRPC server.
_BY_HTTP_STATUS = {
    400: _Code.INTERNAL,
    401: _Code.UNAUTHENTICATED,
    403: _Code.PERMISSION_DENIED,
    404: _Code.UNIMPLEMENTED,
    429: _Code.UNAVAILABLE,
    502: _Code.UNAVAILABLE,
    503: _Code.UNAVAILABLE,
    504: _Code.UNAVAILABLE,
}

# "gRPC over HTTP2", section Errors; the other codes of RFC 9113, section 7 mean INTERNAL there or are not named.
_BY_RESET = {
    0x7: _Code.UNAVAILABLE,  # REFUSED_STREAM
    0x8: _Code.CANCELLED,
    0xB: _Code.RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    0xC: _Code.PERMISSION_DENIED,  # INADEQUATE_SECURITY
}


class CallFailed(grpc.RpcError):
    """A call that ended with another status than OK; it has the methods of grpcio's own errors."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Headers = ()) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code = code
        self._details = details
        self._trailers = trailers

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        """The server's message."""
        return self._details

    def trailing_metadata(self) -> tuple[Any, ...]:
        """All trailers, such as `exception`."""
        return self._trailers


class NotUnderstood(CallFailed):
    """The server sent something that this reader can't understand."""


def unavailable(details: str) -> CallFailed:
    """The connection could not be made, or was lost."""
    return CallFailed(_Code.UNAVAILABLE, details)


def internal(details: str) -> CallFailed:
    """The server sent something that can't be understood."""
    return NotUnderstood(_Code.INTERNAL, details)


def of_trailers(trailers: Headers) -> CallFailed | None:
    """What `grpc-status` and `grpc-message` say; None for OK."""
    named = dict(trailers)
    number = named.get("grpc-status")
    if number is None:
        return CallFailed(_Code.UNKNOWN, "the server ended the call without a status", trailers)
    code = _BY_NUMBER.get(int(number), _Code.UNKNOWN) if number.isascii() and number.isdigit() else _Code.UNKNOWN
    if code is _Code.OK:
        return None
    # Percent-encoded UTF-8; a wrong encoding must not hide the error ("gRPC over HTTP2", Status-Message).
    message = unquote_to_bytes(named.get("grpc-message", "")).decode(errors="replace")
    return CallFailed(code, message, trailers)


def of_headers(headers: Headers) -> CallFailed | None:
    """What is wrong with response headers; None when they begin a gRPC response."""
    named = dict(headers)
    status, content_type = named.get(":status", ""), named.get("content-type", "")
    is_grpc = content_type.partition(";")[0].strip() == "application/grpc" or content_type.startswith(
        "application/grpc+"
    )
    if status == "200" and is_grpc:
        encoding = named.get("grpc-encoding", "identity")
        return None if encoding == "identity" else internal(f"messages are encoded as {encoding}")
    code = _BY_HTTP_STATUS.get(int(status) if status.isdigit() else 0, _Code.UNKNOWN)
    return CallFailed(code, f"no gRPC response: HTTP status {status}, content type {content_type!r}", headers)


def of_reset(error_code: int) -> CallFailed:
    """What the error code of RST_STREAM says."""
    return CallFailed(
        _BY_RESET.get(error_code, _Code.INTERNAL), f"the server reset the call (HTTP/2 error {error_code})"
    )
