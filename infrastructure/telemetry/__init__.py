"""What a process tells of itself: logs, traces, and the trace context that travels with commands and events."""

import os
from collections.abc import Callable

from infrastructure.settings import Settings
from infrastructure.telemetry.logs import start_logs
from infrastructure.telemetry.otel_variables import chosen_exporters
from infrastructure.telemetry.trace_context import (
    MAX_TRACESTATE,
    NO_TRACE,
    TraceContext,
    context_from,
    current_trace,
    received_trace,
    trace_headers,
)

__all__ = [
    "MAX_TRACESTATE",
    "NO_TRACE",
    "TraceContext",
    "context_from",
    "current_trace",
    "received_trace",
    "start_telemetry",
    "trace_headers",
]


def start_telemetry(service: str, settings: Settings) -> Callable[[], None]:
    """Configures logging and tracing of this process; called once by each service's main. What it returns is called at
    the end: it waits a moment for the last spans.

    Raises InvalidSettings where a variable of OpenTelemetry is wrong.
    """
    exporters = chosen_exporters(os.environ)
    start_logs(service, settings)
    if not exporters:
        return lambda: None
    # The SDK and the exporter take a while to import, and who has tracing off needs neither.
    from infrastructure.telemetry.tracing import start_tracing

    return start_tracing(service, exporters, os.environ).stop
