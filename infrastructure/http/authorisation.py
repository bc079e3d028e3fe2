"""The policy over HTTP: every request is held against its route's rule, and each refusal says what it lacks."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from infrastructure.http.problems import Problem
from infrastructure.http.rules import ACCESS
from infrastructure.security.identity import identity_of
from infrastructure.security.policy import Forbidden, require

_REALM = 'Bearer realm="eventfold"'


def authorise(app: ASGIApp) -> ASGIApp:
    """The middleware that asks the policy before a route's handler sees the request, or its body is read."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            try:
                require(identity_of(scope), scope["route_handler"].opt[ACCESS])
            except Forbidden as error:
                raise forbidden(error) from error
        await app(scope, receive, send)

    return handle


def forbidden(error: Forbidden) -> Problem:
    """403, or 401 where it is unknown who asks; each with the challenge of RFC 6750."""
    if not error.scope:
        return Problem(
            401, "unauthorized", "A bearer token is needed", str(error), headers={"WWW-Authenticate": _REALM}
        )
    headers = {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{error.scope}"'}
    return Problem(403, "forbidden", "The token does not allow it", str(error), headers=headers)
