"""The middleware that lets each client ask only so much: by its token's subject, else by its address."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import Counter

from infrastructure.http.client_limits import Allowance, ClientLimits, client_address
from infrastructure.http.open_paths import HEALTH
from infrastructure.http.problems import Problem
from infrastructure.http.sending import send_problem, with_headers
from infrastructure.security.identity import NOBODY, identity_of
from infrastructure.security.scopes import UNLIMITED

_LIMITED = Counter("eventfold_http_rate_limited", "Requests that were refused with 429: their client asked too often")


def with_client_limits(app: ASGIApp, limits: ClientLimits) -> ASGIApp:
    """The application behind the limits. Health is always answered; whoever has the scope "unlimited" asks freely."""
    if not limits.rate:
        return app
    policy = limits.policy.encode()

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"] in HEALTH:
            await app(scope, receive, send)
            return
        identity = identity_of(scope)
        if identity.may(UNLIMITED):
            await app(scope, receive, send)
            return
        # No subject has a space, and no address has: the two can't be taken for each other.
        client = client_address(scope) if identity is NOBODY else f"subject {identity.subject}"
        left = limits.take(client)
        if left.exceeded:
            await send_problem(send, too_many(limits, left))
            return
        headers = ((b"ratelimit-policy", policy), (b"ratelimit", _left(left).encode()))
        await app(scope, receive, with_headers(send, headers))

    return respond


def too_many(limits: ClientLimits, left: Allowance) -> Problem:
    """429, with the headers of draft-ietf-httpapi-ratelimit-headers."""
    _LIMITED.inc()
    detail = f"a client may ask {limits.rate:g} times a second, and {limits.burst} times at once"
    headers = {"Retry-After": str(left.retry_in), "RateLimit-Policy": limits.policy, "RateLimit": _left(left)}
    return Problem(429, "too-many-requests", "The client asks too often", detail, headers=headers)


def _left(left: Allowance) -> str:
    return f'"client";r={left.remaining};t={left.refilled_in}'
