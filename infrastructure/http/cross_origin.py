"""CORS (Fetch standard): which web pages of other origins may call the services. None, unless they are named."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from infrastructure.http.sending import with_headers

METHODS = b"GET, HEAD, POST, PUT, DELETE"
HEADERS = (
    b"authorization, content-type, idempotency-key, if-match, if-none-match, x-correlation-id, traceparent, tracestate"
)
EXPOSED = b"etag, eventfold-position, location, retry-after, ratelimit, ratelimit-policy, x-correlation-id"
KEPT_SECONDS = b"600"


def allowed_origins(setting: str) -> frozenset[bytes]:
    """The origins of a list with commas. Raises ValueError for what is no origin, and for `*`: whoever opens a service
    to every page names none."""
    origins = [one.strip() for one in setting.split(",") if one.strip()]
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is no origin, such as https://shop.example")
    return frozenset(origin.lower().encode() for origin in origins)


def with_cross_origin(app: ASGIApp, origins: Iterable[bytes]) -> ASGIApp:
    """The application, which pages of these origins may call. Credentials are tokens, which a page must have itself, so
    no cookie is ever allowed."""
    allowed = frozenset(origins)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        origin = sent.get(b"origin")
        if origin is None or origin not in allowed:
            await app(scope, receive, with_headers(send, ((b"vary", b"Origin"),)))
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
            await _preflight(send, origin)
        else:
            added = (
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", EXPOSED),
                (b"vary", b"Origin"),
            )
            await app(scope, receive, with_headers(send, added))

    return respond if allowed else app


async def _preflight(send: Send, origin: bytes) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", HEADERS),
        (b"access-control-max-age", KEPT_SECONDS),
        (b"vary", b"Origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
