"""Logs as JSON lines, the tracer, and the trace context that travels with commands and events.

Every line carries the service, and the trace id, span id and correlation id of the current work where there are any.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from msgspec import Struct
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infrastructure.settings import Settings

MAX_TRACESTATE = 512
"""The longest `tracestate` that is carried on, in characters."""
_LONG_MEMBER = 128
_PROPAGATOR = TraceContextTextMapPropagator()
# They log the headers that they find malformed, as they came: what a client sends would fill the log.
_SILENCED = ("opentelemetry.trace.span", "opentelemetry.trace.propagation.tracecontext")


def start_telemetry(service: str, settings: Settings) -> None:
    """Configures logging and tracing of this process; called once by each service's main."""
    level = logging.getLevelNamesMapping()[settings.telemetry.log_level.upper()]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.telemetry.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _origin(service),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # What libraries log through the standard library gets the same form.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=processors, processor=renderer))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if settings.telemetry.traces == "console":
        provider = TracerProvider(resource=Resource.create({"service.name": f"eventfold-{service}"}))
        provider.add_span_processor(
            BatchSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(None) + "\n"))
        )
        trace.set_tracer_provider(provider)


def _origin(service: str) -> Any:
    def add(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line["service"] = service
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
            line["span_id"] = f"{span.span_id:016x}"
        return line

    return add


class TraceContext(Struct, frozen=True, gc=False):
    """The W3C trace headers that an event's metadata carries: well formed, and bounded; None where there is none."""

    traceparent: str | None = None
    tracestate: str | None = None


def current_trace() -> TraceContext:
    """The trace of the current span, to be carried in an event's metadata."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return TraceContext(carrier.get("traceparent"), carrier.get("tracestate"))


def context_from(traceparent: Sequence[str], tracestate: Sequence[str] = ()) -> Context | None:
    """The trace context that trace headers name, for a span that continues it; each header line is one value.

    None without a `traceparent`, and when it is malformed or there are several: then a new trace begins, and the
    `tracestate` is not looked at. A malformed `tracestate` is dropped alone, and one that is too long is shortened (W3C
    Trace Context, 3.3 and 4.3).
    """
    if len(traceparent) != 1:
        return None
    context = _PROPAGATOR.extract({"traceparent": list(traceparent), "tracestate": list(tracestate)}, Context())
    found = trace.get_current_span(context).get_span_context()
    if not found.is_valid:
        return None
    state = found.trace_state.to_header()
    if len(state) <= MAX_TRACESTATE:
        return context
    kept = TraceState.from_header([_shortened(state)])
    bounded = SpanContext(
        found.trace_id, found.span_id, is_remote=True, trace_flags=found.trace_flags, trace_state=kept
    )
    return trace.set_span_in_context(NonRecordingSpan(bounded), context)


def _shortened(tracestate: str) -> str:
    """As many of its members as MAX_TRACESTATE characters take, each whole: those of over 128 characters are left out
    first, then those at the end (W3C Trace Context, 3.3.1.5)."""
    members = tracestate.split(",")
    excess = len(tracestate) - MAX_TRACESTATE
    for index in reversed(range(len(members))):
        if excess <= 0:
            break
        if len(members[index]) > _LONG_MEMBER:
            excess -= len(members.pop(index)) + 1
    while excess > 0:
        excess -= len(members.pop()) + 1
    return ",".join(members)
