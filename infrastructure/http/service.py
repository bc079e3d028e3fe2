"""What the application of every HTTP service has in common: health, metrics, problem details, OpenAPI."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin, SwaggerRenderPlugin
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from infrastructure.http.health import Probe, Readiness, readiness
from infrastructure.http.problems import EXCEPTION_HANDLERS
from infrastructure.settings import Settings
from infrastructure.version import installed_version

ON_STOP = "on_stop"
"""The key in the application's state of what is called when the service is asked to stop."""

ALWAYS_SERVED = frozenset({b"/health/live", b"/health/ready", b"/metrics"})
"""Paths that are served although there are too many connections: who looks after the service asks for them."""

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    title: str,
    handlers: Sequence[Any],
    probes: Mapping[str, Probe],
    settings: Settings,
    *,
    lifespan: Sequence[Lifespan] = (),
    on_stop: Sequence[Callable[[], None]] = (),
) -> Litestar:
    """A Litestar application with the handlers given, /health/live, /health/ready, /metrics and OpenAPI at /schema.

    `on_stop` is called when the service is asked to stop, before requests under way are waited for.
    """
    return Litestar(
        route_handlers=[*handlers, *_health(probes), _metrics],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=list(lifespan),
        state=State({ON_STOP: tuple(on_stop)}),
        request_max_body_size=settings.http.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title=title, version=installed_version(), render_plugins=[ScalarRenderPlugin(), SwaggerRenderPlugin()]
        ),
        logging_config=None,
        etag=None,
        debug=False,
    )


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


def _health(probes: Mapping[str, Probe]) -> list[Any]:
    @get("/health/live", summary="Whether the process serves", tags=["health"])
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @get("/health/ready", summary="Whether every dependency answers; 503 when one does not", tags=["health"])
    async def ready() -> Response[Readiness]:
        result = await readiness(probes)
        return Response(result, status_code=200 if result.ready else 503)

    return [live, ready]


@get("/metrics", summary="Prometheus metrics", tags=["health"], sync_to_thread=False)
def _metrics() -> Response[bytes]:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
