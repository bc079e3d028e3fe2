"""The W3C trace context that travels with commands and events: read from headers, bounded, and given on."""

from collections.abc import Sequence

from msgspec import Struct
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infrastructure.telemetry.spans import is_tracing

MAX_TRACESTATE = 512
"""The longest `tracestate` that is carried on, in characters."""
_LONG_MEMBER = 128
_PROPAGATOR = TraceContextTextMapPropagator()


class TraceContext(Struct, frozen=True, gc=False):
    """The W3C trace headers that an event's metadata carries: well formed, and bounded; None where there is none."""

    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def context(self) -> Context | None:
        """For a span that continues the trace; None where there is none, or none that is well formed."""
        if self.traceparent is None:
            return None
        return context_from([self.traceparent], [] if self.tracestate is None else [self.tracestate])


NO_TRACE = TraceContext()


def current_trace() -> TraceContext:
    """The trace of the current span, to be carried in an event's metadata; NO_TRACE while tracing is off."""
    if not is_tracing():
        return NO_TRACE
    return _of(None)


def trace_headers() -> dict[str, str]:
    """The headers by which another service continues the current trace."""
    headers: dict[str, str] = {}
    if is_tracing():
        _PROPAGATOR.inject(headers)
    return headers


def received_trace(traceparent: Sequence[str], tracestate: Sequence[str] = ()) -> TraceContext:
    """What trace headers say, well formed and bounded, to be kept while tracing is off; as `context_from`."""
    context = context_from(traceparent, tracestate) if traceparent else None
    return NO_TRACE if context is None else _of(context)


def _of(context: Context | None) -> TraceContext:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context)
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
