"""What every HTTP service has in common: health, metrics, problem details, and a server that stops gracefully."""

import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog
import uvicorn
from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin, SwaggerRenderPlugin
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from infrastructure.health import Probe, Readiness, readiness
from infrastructure.problems import EXCEPTION_HANDLERS
from infrastructure.settings import PREFIX, Settings

log = structlog.get_logger(__name__)

_ON_STOP = "on_stop"

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    title: str,
    handlers: Sequence[Any],
    probes: Mapping[str, Probe],
    settings: Settings,
    *,
    lifespan: Sequence[Lifespan] = (),
    on_stop: Sequence[Callable[[], None]] = (),
    version: str = "0.1.0",
) -> Litestar:
    """A Litestar application with the handlers given, /health/live, /health/ready, /metrics and OpenAPI at /schema.

    `on_stop` is called when the service is asked to stop, before requests under way are waited for.
    """
    return Litestar(
        route_handlers=[*handlers, *_health(probes), _metrics],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=list(lifespan),
        state=State({_ON_STOP: tuple(on_stop)}),
        request_max_body_size=settings.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title=title, version=version, render_plugins=[ScalarRenderPlugin(), SwaggerRenderPlugin()]
        ),
        logging_config=None,
        etag=None,
        debug=False,
    )


def closing(*closers: Callable[[], Awaitable[None]]) -> Lifespan:
    """A lifespan that calls each closer, in order, when the service has answered its last request."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for close in closers:
                await close()

    return lifespan


def serve(app: Litestar, settings: Settings, port: int, port_setting: str) -> int:
    """Serves until SIGTERM or SIGINT, then lets requests under way finish; answers the exit code.

    A port that is taken is said on standard error, with the setting that chooses another: exit code 1.
    """
    try:
        listener = listen(settings.host, port)
    except OSError as error:
        print(  # noqa: T201 - the operator's terminal, before there is a service to log
            f"port {port} on {settings.host} can't be taken ({error.strerror}); "
            f"{PREFIX}{port_setting.upper()} chooses another",
            file=sys.stderr,
        )
        return 1
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_grace)),
        backlog=2048,
    )
    # uvicorn raises a signal again once it has stopped gracefully; that is no reason to exit with an error.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda _signal, _frame: None)
    server = _Server(config, app.state[_ON_STOP])
    log.info("serving", host=settings.host, port=listener.getsockname()[1])
    server.run(sockets=[listener])
    log.info("stopped")
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_stop: Sequence[Callable[[], None]]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for tell in self._on_stop:
            tell()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _health(probes: Mapping[str, Probe]) -> list[Any]:
    @get("/health/live", summary="Whether the process serves", tags=["health"])
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @get("/health/ready", summary="Whether every dependency answers; 503 when one does not", tags=["health"])
    async def ready() -> Response[Readiness]:
        answer = await readiness(probes)
        return Response(answer, status_code=200 if answer.ready else 503)

    return [live, ready]


@get("/metrics", summary="Prometheus metrics", tags=["health"], sync_to_thread=False)
def _metrics() -> Response[bytes]:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
