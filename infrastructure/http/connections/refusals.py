"""What a client is told when its request is refused before the application sees it."""

from http import HTTPStatus

import msgspec

from infrastructure.http.problems import MEDIA_TYPE, Problem
from infrastructure.settings import ConnectionSettings


class Refusal(Exception):
    """A request is not taken: `reason` is the metric's label, `problem` the last response of the connection."""

    def __init__(self, reason: str, problem: Problem) -> None:
        super().__init__(reason)
        self.reason = reason
        self.problem = problem

    def message(self) -> bytes:
        """The whole response, head and body."""
        body = msgspec.json.encode(self.problem.details)
        status = HTTPStatus(self.problem.details.status)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
            **self.problem.headers,
        }
        head = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name.lower()}: {value}" for name, value in headers.items())]
        return "\r\n".join([*head, "", ""]).encode() + body


class TooManyPipelined(Exception):
    """A request that is not taken: the connection ends after the responses under way, as RFC 9112 allows."""


def slow_head(limits: ConnectionSettings) -> Refusal:
    detail = f"the request line and the headers must arrive within {limits.head_timeout:g} s"
    return Refusal("head", Problem(408, "too-slow", "The request came too slowly", detail))


def slow_body(limits: ConnectionSettings) -> Refusal:
    detail = (
        f"the body must arrive within {limits.body_timeout:g} s, "
        f"and with at least {limits.body_rate} bytes a second from a sixth of that on"
    )
    return Refusal("body", Problem(408, "too-slow", "The request came too slowly", detail))


def long_url(limits: ConnectionSettings) -> Refusal:
    detail = f"the request line may have {limits.max_head_bytes} bytes"
    return Refusal("url-too-long", Problem(414, "url-too-long", "The URL is too long", detail))


def large_head(limits: ConnectionSettings) -> Refusal:
    detail = f"the request line and the headers may have {limits.max_head_bytes} bytes together"
    return Refusal("head-too-large", Problem(431, "head-too-large", "The headers are too large", detail))


def many_headers(limits: ConnectionSettings) -> Refusal:
    detail = f"there may be {limits.max_headers} headers"
    return Refusal("too-many-headers", Problem(431, "too-many-headers", "There are too many headers", detail))


def framing() -> Refusal:
    detail = "the chunks' extensions and the trailers are far larger than the body itself"
    return Refusal("framing", Problem(400, "malformed-request", "The body is malformed", detail))


def malformed() -> Refusal:
    return Refusal("malformed", Problem(400, "malformed-request", "This is not an HTTP request"))


def busy() -> Refusal:
    detail = "every connection that the service takes is at work"
    problem = Problem(
        503, "too-many-connections", "There are too many connections", detail, headers={"Retry-After": "1"}
    )
    return Refusal("connections", problem)
