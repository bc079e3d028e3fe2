"""Responses as bytes that are ready to send, with their ETags and 304s."""

import hashlib
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from infrastructure.http.problems import MEDIA_TYPE, Problem
from query_api.http.ranges import Unsatisfiable, wanted_range

_encode = msgspec.json.Encoder().encode

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", MEDIA_TYPE.encode())
# Who asked may keep a response, and nobody on the way; it must be asked after before it is used again: that is what the
# ETag is for.
_REVALIDATE = (b"cache-control", b"private, no-cache")

Headers = list[tuple[bytes, bytes]]


class Response:
    """A whole HTTP response. It is an ASGI application, which Litestar sends as it stands."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def versioned(scope: Scope, content: Any, version: int, position: int) -> Response:
    """One aggregate's document, whose ETag is its version: the one that the command API takes in `If-Match`."""
    etag = b'"%d"' % version
    headers: Headers = [(b"etag", etag), _REVALIDATE, (b"eventfold-position", b"%d" % position)]
    if _known_to_client(scope, etag):
        return Response(304, headers, b"")
    return _whole(headers, _encode(content))


def weak(scope: Scope, content: Any, position: int | None = None) -> Response:
    """A response whose ETag is made of its content."""
    body = _encode(content)
    etag = b'W/"%s"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()
    headers: Headers = [(b"etag", etag), _REVALIDATE]
    if position is not None:
        headers.append((b"eventfold-position", b"%d" % position))
    if _known_to_client(scope, etag):
        return Response(304, headers, b"")
    return _whole(headers, body)


def of_file(scope: Scope, content: bytes, digest: str, about: Headers) -> Response:
    """A file by its SHA-256, which is its ETag: whole, or the range of it that the request asks for. `about` says what
    it is."""
    etag = b'"%s"' % digest.encode()
    headers: Headers = [(b"etag", etag), _REVALIDATE, (b"accept-ranges", b"bytes")]
    if _known_to_client(scope, etag):
        return Response(304, headers, b"")
    size = len(content)
    try:
        wanted = wanted_range(scope, etag, size)
    except Unsatisfiable:
        detail = f"the file has {size} bytes"
        raise Problem(
            416, "no-such-range", "There is no such range", detail, headers={"Content-Range": f"bytes */{size}"}
        ) from None
    headers += about
    if wanted is None:
        return Response(200, [*headers, (b"content-length", b"%d" % size)], content)
    part = content[wanted.first : wanted.last + 1]
    span = b"bytes %d-%d/%d" % (wanted.first, wanted.last, size)
    return Response(206, [*headers, (b"content-range", span), (b"content-length", b"%d" % len(part))], part)


def refusal(problem: Problem) -> Response:
    """Problem details."""
    body = _encode(problem.details)
    headers: Headers = [_PROBLEM, (b"content-length", b"%d" % len(body))]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()]
    return Response(problem.details.status, headers, body)


def _whole(headers: Headers, body: bytes) -> Response:
    headers += (_JSON, (b"content-length", b"%d" % len(body)))
    return Response(200, headers, body)


def _known_to_client(scope: Scope, etag: bytes) -> bool:
    """Whether `If-None-Match` names the ETag, by weak comparison (RFC 9110, 13.1.2)."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            named = {one.strip().removeprefix(b"W/") for one in value.split(b",")}
            if b"*" in named or etag.removeprefix(b"W/") in named:
                return True
    return False
