"""Exemplars: the trace of one of the requests that a histogram has counted, so that a graph leads to it."""

from opentelemetry import trace


def exemplar() -> dict[str, str] | None:
    """The labels of an exemplar of the current span; None where there is no span, or it is not sampled: then there is
    no trace to lead to. Prometheus shows exemplars in the OpenMetrics format alone."""
    span = trace.get_current_span().get_span_context()
    if not (span.is_valid and span.trace_flags.sampled):
        return None
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
