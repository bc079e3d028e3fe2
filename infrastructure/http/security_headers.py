"""What a browser is told of every response: run nothing, guess nothing, show it in no frame, keep it nowhere."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from infrastructure.http.sending import with_headers

_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
# The API pages have a policy of their own; and what says how it may be kept, such as the queries' answers, knows.
_BY_DEFAULT = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """The application with those headers on all that it responds."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            send = with_headers(send, (), (*_ALWAYS, *_BY_DEFAULT))
        await app(scope, receive, send)

    return respond
