"""What is told of every HTTP request: a server span, its time by route and status, and one line in the log.

It stands before everything else of an application and is on the way of every request, so it does little: where tracing
is off, no span is made and no context is touched.
"""

import logging
import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from time import perf_counter

import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import Gauge, Histogram
from structlog.contextvars import bind_contextvars, unbind_contextvars

from infrastructure.http.methods import METHOD_SENT
from infrastructure.telemetry import context_from
from infrastructure.telemetry.spans import ERROR_TYPE, NOTHING, begin_span, is_tracing

UNMATCHED = "unmatched"
"""The route of a request that none was found for."""
OTHER_METHOD = "_OTHER"
CORRELATION_ID = "correlation_id"

_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE".split())
_CORRELATION = re.compile(rb"[!-~]{1,128}")
_MAX_PATH = 200
# Nobody is told anything any more: the client has gone before there was a response.
_CLIENT_GONE = 499

_SECONDS = Histogram(
    "eventfold_http_request_seconds",
    "Time from a request's arrival to the end of its response; a request that no route was found for is `unmatched`",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_IN_FLIGHT = Gauge("eventfold_http_requests_in_flight", "Requests that are being answered")

log = structlog.get_logger(__name__)

Observe = Callable[..., None]


class _Observers:
    """The histogram's child for each method, route and status: bound once, which is most of what it costs."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, str, int], Observe] = {}

    def of(self, method: str, route: str, status: int) -> Observe:
        key = method, route, status
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = _SECONDS.labels(method, route, str(status)).observe
        return found


def observe_requests(app: Litestar, quiet: Collection[str]) -> None:
    """Has every request of the application told of. Those at the paths `quiet` are measured alone."""
    answer: ASGIApp = app.asgi_handler
    observers = _Observers()

    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await answer(scope, receive, send)
            return
        request, is_quiet = _Request(scope, send), scope["path"] in quiet
        if request.correlation_id is not None:
            bind_contextvars(correlation_id=request.correlation_id)
        _IN_FLIGHT.inc()
        with NOTHING if is_quiet or not is_tracing() else _server_span(request) as span:
            try:
                await answer(scope, receive, request.send)
            except Exception:
                request.status = request.status or 500
                raise
            finally:
                _IN_FLIGHT.dec()
                request.finish(observers, span)
                if not is_quiet:
                    request.log()
                unbind_contextvars(CORRELATION_ID)

    app.asgi_handler = handler


class _Request:
    """One request while it is answered."""

    __slots__ = (
        "_began",
        "_send",
        "correlation_id",
        "method",
        "path",
        "route",
        "scope",
        "seconds",
        "status",
        "traceparent",
        "tracestate",
    )

    def __init__(self, scope: HTTPScope, send: Send) -> None:
        self._began = perf_counter()
        self._send = send
        self.scope = scope
        self.path = scope["path"][:_MAX_PATH]
        self.status = 0
        self.route = UNMATCHED
        self.seconds = 0.0
        method = scope["state"].get(METHOD_SENT) or str(scope["method"])
        self.method = method if method in _METHODS else OTHER_METHOD
        self.traceparent: list[str] = []
        self.tracestate: list[str] = []
        self.correlation_id: str | None = None
        for name, value in scope["headers"]:
            if name == b"traceparent":
                self.traceparent.append(value.decode("latin-1"))
            elif name == b"tracestate":
                self.tracestate.append(value.decode("latin-1"))
            elif name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
                self.correlation_id = value.decode("ascii")

    async def send(self, message: Message) -> None:
        """Sends on, and notes the status."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def finish(self, observers: _Observers, span: Span) -> None:
        """The response is over."""
        self.seconds = perf_counter() - self._began
        self.route = self.scope.get("path_template") or UNMATCHED
        self.status = self.status or _CLIENT_GONE
        observe = observers.of(self.method, self.route, self.status)
        if not span.is_recording():
            observe(self.seconds)
            return
        observe(self.seconds, {"trace_id": f"{span.get_span_context().trace_id:032x}"})
        span.update_name(f"{self.method} {self.route}" if self.route != UNMATCHED else self.method)
        span.set_attribute("http.response.status_code", self.status)
        if self.route != UNMATCHED:
            span.set_attribute("http.route", self.route)
        if self.status >= 500:
            span.set_attribute(ERROR_TYPE, str(self.status))
            span.set_status(Status(StatusCode.ERROR))

    def log(self) -> None:
        """Its line in the log; the correlation id is added to each line."""
        identity = self.scope["state"].get("identity")
        log.log(
            logging.WARNING if self.status >= 500 else logging.INFO,
            "request",
            method=self.method,
            route=self.route,
            path=self.path,
            status=self.status,
            seconds=round(self.seconds, 6),
            subject=None if identity is None else identity.subject,
        )


def _server_span(request: _Request) -> AbstractContextManager[Span]:
    attributes = {
        "http.request.method": request.method,
        "url.path": request.path,
        "url.scheme": request.scope["scheme"],
        "network.protocol.version": request.scope["http_version"],
    }
    parent = context_from(request.traceparent, request.tracestate) if request.traceparent else None
    return begin_span(request.method, SpanKind.SERVER, attributes, parent=parent)
