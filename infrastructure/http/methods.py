"""The methods that are answered at every path: HEAD wherever GET is, OPTIONS, and `Allow` with the whole truth."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from domain.model.access import PUBLIC
from infrastructure.http.rules import ACCESS

METHOD_SENT = "method_sent"
"""The key in a request's state of the method that was sent, where it is answered like another one."""
METHODS_BESIDE = "methods_beside"
"""The key in a request's state of the methods that others answer at its path, where the application shares its address
with them."""


def allowed(methods: Iterable[str], state: Mapping[str, Any]) -> str:
    """The `Allow` header of a path with handlers of these methods, and those of others at the same address; `state` is
    the request's."""
    named = {*methods, *state.get(METHODS_BESIDE, ()), "OPTIONS"}
    return ", ".join(sorted({*named, "HEAD"} if "GET" in named else named))


def options(handlers: Sequence[HTTPRouteHandler]) -> list[Any]:
    """A handler of OPTIONS for each path, to be registered before them: where there is none, Litestar makes one that
    names only the methods of the handler that it saw first."""
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, set()).update(str(method) for method in handler.http_methods)
    return [_options(path, found) for path, found in methods.items()]


def _options(path: str, methods: set[str]) -> Any:
    # What may be sent is in the public documents.
    @route(
        path,
        http_method=[HttpMethod.OPTIONS],
        include_in_schema=False,
        sync_to_thread=False,
        opt={ACCESS: PUBLIC},
    )
    def respond(request: Request[Any, Any, Any]) -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed(methods, request.scope["state"])})

    return respond


def answer_head(app: Litestar) -> None:
    """Makes the application answer HEAD like GET; the HTTP server leaves the body out (RFC 9110, 9.3.2)."""
    answer: ASGIApp = app.asgi_handler

    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] == HttpMethod.HEAD:
            # A copy: the server must go on to see that it is HEAD.
            scope = scope.copy()
            scope["method"] = HttpMethod.GET
            scope["state"][METHOD_SENT] = "HEAD"
        await answer(scope, receive, send)

    app.asgi_handler = handler
