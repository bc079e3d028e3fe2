"""Spans of what is done with events, by OpenTelemetry's conventions for messaging.

What handles events one by one continues the trace of each: the event's metadata says which. What handles many at a time
continues their trace where it is one and the same, and otherwise begins one of its own, with a link to each of them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from infrastructure.event_store import StoredEvent
from infrastructure.telemetry import NO_TRACE, TraceContext
from infrastructure.telemetry.spans import NOTHING, begin_span, is_tracing, span_apart

MOST_LINKS = 64
"""The newest events have the links, where there are more."""
_LOOKED_AT = 256
"""Of a larger batch no more than so many are looked at: that many come together only where somebody catches up."""

_decode = msgspec.json.Decoder(TraceContext).decode


class HasStored(Protocol):
    """Such as subscriptions.consumer.Step."""

    @property
    def stored(self) -> StoredEvent: ...


def trace_of(stored: StoredEvent) -> TraceContext:
    """The trace that the event's metadata names; NO_TRACE where it names none, or can't be read."""
    try:
        return _decode(stored.metadata) if stored.metadata else NO_TRACE
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return NO_TRACE


def event_span(consumer: str, stored: StoredEvent) -> AbstractContextManager[Span]:
    """The work of a consumer on one event."""
    return _event_span(begin_span, consumer, stored)


def event_span_apart(consumer: str, stored: StoredEvent) -> AbstractContextManager[Span]:
    """As `event_span`, where other events are worked on meanwhile (see infrastructure.telemetry.spans.span_apart)."""
    return _event_span(span_apart, consumer, stored)


def _event_span(
    begin: Callable[..., AbstractContextManager[Span]], consumer: str, stored: StoredEvent
) -> AbstractContextManager[Span]:
    if not is_tracing():
        return NOTHING
    attributes = _of_consumer(consumer, stored) | _of_event(stored)
    return begin(f"process {consumer}", SpanKind.CONSUMER, attributes, parent=trace_of(stored).context)


def batch_span(consumer: str, steps: Sequence[HasStored]) -> AbstractContextManager[Span]:
    """The work of a consumer on events together, which come in commit order."""
    if not is_tracing() or not steps:
        return NOTHING
    last = steps[-1].stored
    attributes = _of_consumer(consumer, last) | {"messaging.batch.message_count": len(steps)}
    attributes |= _of_event(last) if len(steps) == 1 else {"eventfold.position": last.position}
    parent, links = _continued(steps)
    return begin_span(f"process {consumer}", SpanKind.CONSUMER, attributes, parent=parent, links=links)


def _continued(steps: Sequence[HasStored]) -> tuple[Context | None, list[Link]]:
    contexts: dict[TraceContext, Context] = {}
    for step in reversed(steps[-_LOOKED_AT:]):
        found = trace_of(step.stored)
        if found in contexts or (context := found.context) is None:
            continue
        contexts[found] = context
        if len(contexts) == MOST_LINKS:
            break
    spans = [trace.get_current_span(context).get_span_context() for context in contexts.values()]
    if len({span.trace_id for span in spans}) == 1:
        # The newest of them is the parent.
        return next(iter(contexts.values())), [Link(span) for span in spans[1:]]
    return None, [Link(span) for span in spans]


def _of_consumer(consumer: str, stored: StoredEvent) -> dict[str, Any]:
    return {
        "messaging.system": "eventstoredb",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": consumer,
        "messaging.destination.name": stored.stream.partition("-")[0],
    }


def _of_event(stored: StoredEvent) -> dict[str, Any]:
    return {
        "messaging.message.id": stored.id,
        "eventfold.event": stored.type,
        "eventfold.stream": stored.stream,
        "eventfold.position": stored.position,
    }
