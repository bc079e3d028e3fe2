"""Logs as JSON lines, the tracer, and the trace context that travels with commands and events.

Every line carries the service, and the trace id, span id and correlation id of the current work where there are any.
"""

import logging
import sys
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infrastructure.settings import Settings

_PROPAGATOR = TraceContextTextMapPropagator()


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


def traceparent() -> str | None:
    """The W3C `traceparent` of the current span, to be carried in an event's metadata; None without one."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def context_from(carried: str | None) -> Any:
    """The trace context that a `traceparent` names, for a span that continues it; None without one."""
    return _PROPAGATOR.extract({"traceparent": carried}) if carried else None
