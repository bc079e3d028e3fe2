"""What the application of every HTTP service has in common: health, metrics, problem details, OpenAPI."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import YamlRenderPlugin
from litestar.openapi.spec import Components

from domain.model.access import PUBLIC
from infrastructure.http.access import access
from infrastructure.http.api_pages import ApiPages, pages_router, to_pages
from infrastructure.http.authorisation import authorise
from infrastructure.http.exposition import metrics_route
from infrastructure.http.health import Dependency, Health, Liveness, Readiness
from infrastructure.http.log_level import log_level_routes
from infrastructure.http.methods import answer_head, options
from infrastructure.http.openapi import SECURITY_SCHEMES, documented
from infrastructure.http.problems import EXCEPTION_HANDLERS
from infrastructure.http.requests import observe_requests
from infrastructure.http.rules import rules_of
from infrastructure.settings import Settings
from infrastructure.telemetry.redaction import Redactor
from infrastructure.version import installed_version

ON_STOP = "on_stop"
"""The key in the application's state of what is called when the service is asked to stop."""
DEPENDENCIES = "dependencies"
"""The key in the application's state of what the service depends on, by name."""

ALWAYS_SERVED = frozenset({b"/health/live", b"/health/ready", b"/metrics"})
"""Paths that are served although there are too many connections: who looks after the service asks for them."""

_BEFORE_ANY_OPERATION = """Besides the statuses of each operation, every request can be refused before an operation sees
it, with problem details and the end of the connection: 400 (not HTTP), 408 (too slow), 414 (the URL is too long), 431
(the headers are too large or too many) and 503 (too many connections; `Retry-After`)."""

_NOT_READY = ResponseSpec(Readiness, description="It can't", generate_examples=False)

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    title: str,
    handlers: Sequence[Any],
    dependencies: Mapping[str, Dependency],
    settings: Settings,
    *,
    lifespan: Sequence[Lifespan] = (),
    on_stop: Sequence[Callable[[], None]] = (),
    open_paths: Sequence[str] = (),
) -> Litestar:
    """A Litestar application with the handlers given, /health/live, /health/ready, /metrics, /log-level, and OpenAPI at
    /schema.

    `on_stop` is called when the service is asked to stop, before requests under way are waited for. `open_paths` need
    no token: whoever asks there proves himself in another way.

    Raises MissingRule when one of the handlers has no rule that says who may use it, and InvalidSettings where the
    settings would leave a door open, or shut all of them.
    """
    before = access(settings, *open_paths)
    health = Health(dependencies, installed_version(), Redactor.of(settings).text)
    routes = [*handlers, *_health(health), *log_level_routes(), metrics_route(), to_pages]
    app = Litestar(
        route_handlers=[*options(routes), *routes],
        exception_handlers=EXCEPTION_HANDLERS,
        middleware=[authorise],
        lifespan=[closing(before.close), *lifespan],
        state=State({ON_STOP: tuple(on_stop), DEPENDENCIES: dict(dependencies)}),
        request_max_body_size=settings.http.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title=title,
            version=installed_version(),
            description=_BEFORE_ANY_OPERATION,
            render_plugins=[ApiPages(), YamlRenderPlugin()],
            openapi_router=pages_router(),
            components=Components(security_schemes=SECURITY_SCHEMES),
        ),
        logging_config=None,
        etag=None,
        debug=False,
    )
    for _ in rules_of(app):
        pass  # each has one
    app.asgi_handler = before.guard(app.asgi_handler)
    observe_requests(app, frozenset(path.decode() for path in ALWAYS_SERVED))
    answer_head(app)
    return app


def closing(*closers: Callable[[], Awaitable[None]]) -> Lifespan:
    """A lifespan that calls each closer, in order, when the service has responded to its last request."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for close in closers:
                await close()

    return lifespan


def _health(health: Health) -> list[Any]:
    @get(
        "/health/live",
        operation_id="Live",
        summary="Whether the process serves",
        tags=["health"],
        **documented({}, access=PUBLIC),
    )
    async def live() -> Liveness:
        return health.live()

    @get(
        "/health/ready",
        operation_id="Ready",
        summary="Whether it can do its work, and what each dependency says",
        tags=["health"],
        **documented({}, responses={503: _NOT_READY}, access=PUBLIC),
    )
    async def ready() -> Response[Readiness]:
        result = await health.ready()
        return Response(result, status_code=200 if result.ready else 503)

    return [live, ready]
