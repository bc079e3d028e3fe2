"""Errors as RFC 9457 problem details: one form for every error that a client can get."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException
from msgspec import Struct

from domain.model.event_types import UndecodableEvent, UnknownEventType
from infrastructure.http.methods import allowed

MEDIA_TYPE = "application/problem+json"
_TYPES = "urn:eventfold:problem:"
_SECONDS_OF_AN_UPGRADE = "10"

log = structlog.get_logger(__name__)


def problem_type(kind: str) -> str:
    """The `type` of the problems of this kind."""
    return _TYPES + kind


class PointedError(Struct, frozen=True):
    """One fault of a request's body: a JSON pointer to it, and what is wrong there."""

    pointer: str
    detail: str


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """The body of an error. `type` is stable and meant for programs; `detail` is for people.

    `first_version` is the first version of a history that is still there, where one has been cut off.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    code: str | None = None
    errors: list[PointedError] = []
    first_version: int | None = None


class Problem(Exception):
    """Raised by a handler to respond with problem details."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str = "",
        *,
        code: str | None = None,
        errors: list[PointedError] | None = None,
        headers: Mapping[str, str] | None = None,
        first_version: int | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.details = ProblemDetails(problem_type(kind), title, status, detail, code, errors or [], first_version)
        self.headers = dict(headers or {})


def unavailable(what: str, error: Exception) -> Problem:
    """503: a dependency can't be reached. Where the error has a `retry_after`, in seconds, the client is told so."""
    title = f"The {what} can't be reached"
    seconds = max(1, math.ceil(getattr(error, "retry_after", 0.0)))
    return Problem(503, "unavailable", title, str(error), headers={"Retry-After": str(seconds)})


def unreadable_history(error: UnknownEventType | UndecodableEvent, detail: str = "") -> Problem:
    """Nothing is decided on half a history. 503 while a newer release's events are not known here, as in the middle of
    an upgrade; 500 for an event that is not what its schema says, which somebody must look into."""
    detail = detail or str(error)
    if isinstance(error, UnknownEventType):
        title = "Its stream holds an event that this release does not know"
        return Problem(503, "newer-history", title, detail, headers={"Retry-After": _SECONDS_OF_AN_UPGRADE})
    return Problem(500, "unreadable-history", "Its stream holds an event that can't be read", detail)


def problem_response(_request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    return Response(
        msgspec.json.encode(problem.details),
        status_code=problem.details.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


_HTTP_KINDS = {404: "no-such-path", 405: "method-not-allowed", 413: "too-large", 415: "media-type"}
_HTTP_TITLES = {
    404: "There is nothing at this path",
    405: "The method is not allowed",
    413: "The request body is too large",
}
_MAX_DETAIL = 2_000


def http_exception_response(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The response to an error that the framework found: no such route, wrong method, body too large."""
    status = error.status_code
    kind = _HTTP_KINDS.get(status, "malformed-request" if status < 500 else "internal-error")
    title = _HTTP_TITLES.get(status, "The request is malformed" if status < 500 else "The service failed")
    errors, headers, detail = _pointed(error.extra), dict(error.headers or {}), error.detail[:_MAX_DETAIL]
    if isinstance(error, MethodNotAllowedException):
        headers = {"Allow": allowed(headers.get("allow", "").split(", "), request.scope["state"])}
        detail = f"{request.method} is not allowed here; {headers['Allow']} are"
    elif errors:
        # Litestar's own detail repeats the whole URL.
        detail = "; ".join(f"{one.pointer or '/'}: {one.detail}" for one in errors)[:_MAX_DETAIL]
    if status == 413:
        headers["Connection"] = "close"  # the rest of the body is not wanted
    return problem_response(request, Problem(status, kind, title, detail, errors=errors, headers=headers))


def _pointed(extra: Any) -> list[PointedError]:
    """What the framework says about single values: where each is in the body or the query, and what is wrong there."""
    faults = [one for one in extra if isinstance(one, Mapping)] if isinstance(extra, list) else []
    return [PointedError(_pointer(str(one.get("key", "data"))), str(one.get("message", ""))) for one in faults]


def unexpected_error_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response to a bug: logged in full here; the client gets no internal details."""
    log.error("a request failed", method=request.method, path=request.url.path[:200], exc_info=error)
    return problem_response(request, Problem(500, "internal-error", "The service failed at this request"))


def _pointer(key: str) -> str:
    """A JSON pointer from the framework's key, which calls the whole body `data`."""
    return "" if key == "data" else "/" + key.replace(".", "/")


EXCEPTION_HANDLERS: dict[Any, Any] = {
    Problem: problem_response,
    HTTPException: http_exception_response,
    Exception: unexpected_error_response,
}
