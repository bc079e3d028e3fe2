"""An HTTP service as a process: settings, telemetry, its port, and a graceful stop."""

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import structlog
import uvicorn
from litestar.datastructures import State

from infrastructure import garbage
from infrastructure.http.connections.connections import RESERVED, Connections
from infrastructure.http.connections.protocol import BoundedProtocol
from infrastructure.http.service import ALWAYS_SERVED, ON_STOP
from infrastructure.settings import PREFIX, InvalidSettings, Settings, load_settings
from infrastructure.telemetry import start_telemetry

_OWN_DESCRIPTORS = 512
"""Files and connections to the stores, amply."""

log = structlog.get_logger(__name__)


class Served(Protocol):
    """An ASGI application. Where its state has ON_STOP, those are called when the process is asked to stop."""

    state: State

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers."""


def run_service(name: str, create: Callable[[Settings], Served], *, in_batches: bool = False) -> int:
    """Runs the service called `name` until it is asked to stop; returns the exit code. `in_batches` says that its work
    comes in large ones.

    Its port is the setting `<name>_port_number`. Invalid settings are reported on standard error, with exit code 2.
    """
    try:
        settings = load_settings(os.environ)
        end_telemetry = start_telemetry(name, settings)
        app = create(settings)
    except InvalidSettings as error:
        print(error, file=sys.stderr)  # noqa: T201 - the operator's terminal, before there is a service to log
        return 2
    garbage.begin(rarely=in_batches)
    try:
        return serve(app, settings, getattr(settings.http, f"{name}_port"), f"{name}_port_number")
    finally:
        end_telemetry()


def serve(app: Served, settings: Settings, port: int, port_setting: str) -> int:
    """Serves until SIGTERM or SIGINT, then lets requests under way finish; returns the exit code.

    A port that is taken is reported on standard error, with the setting that chooses another, and exit code 1.
    """
    try:
        listener = listen(settings.http.host, port)
    except OSError as error:
        print(  # noqa: T201 - the operator's terminal, before there is a service to log
            f"port {port} on {settings.http.host} can't be taken ({error.strerror}); "
            f"{PREFIX}{port_setting.upper()} chooses another",
            file=sys.stderr,
        )
        return 1
    bounds = Connections(settings.connections, ALWAYS_SERVED)
    raise_descriptor_limit(settings.connections.max_connections)
    protocol: Any = partial(BoundedProtocol, bounds=bounds)
    application: Any = app
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=settings.connections.idle_timeout,  # type: ignore[arg-type]  # it is handed to call_later
        timeout_graceful_shutdown=max(1, int(settings.http.shutdown_grace)),
        backlog=2048,
    )
    # uvicorn raises a signal again once it has stopped gracefully; that must not become an error exit.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda _signal, _frame: None)
    server = _Server(config, app.state.get(ON_STOP, ()))
    log.info("serving", host=settings.http.host, port=listener.getsockname()[1])
    server.run(sockets=[listener])
    log.info("stopped")
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_stop: Sequence[Callable[[], None]]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for notify in self._on_stop:
            notify()
        await super().shutdown(sockets)


def raise_descriptor_limit(connections: int) -> None:
    """Lets this process open so many connections beside its own files, as far as the hard limit goes; the log says so
    where that is not far enough."""
    wanted = connections + RESERVED + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        log.warning("fewer connections are possible than the settings allow", open_files=hard, wanted=wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


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
