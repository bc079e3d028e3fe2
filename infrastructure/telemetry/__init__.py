"""What a process tells of itself: logs, traces, and the trace context that travels with commands and events."""

from infrastructure.settings import Settings
from infrastructure.telemetry.logs import start_logs
from infrastructure.telemetry.trace_context import MAX_TRACESTATE, TraceContext, context_from, current_trace
from infrastructure.telemetry.tracing import start_tracing

__all__ = ["MAX_TRACESTATE", "TraceContext", "context_from", "current_trace", "start_telemetry"]


def start_telemetry(service: str, settings: Settings) -> None:
    """Configures logging and tracing of this process; called once by each service's main."""
    start_logs(service, settings)
    start_tracing(service, settings.telemetry)
