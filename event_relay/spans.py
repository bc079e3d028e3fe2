"""Spans of what goes out, by OpenTelemetry's conventions for messaging: one for each published event and destination,
in the trace of the event that it is made of (docs/decisions/0036)."""

from contextlib import AbstractContextManager

from msgspec import UNSET
from opentelemetry.trace import Span, SpanKind

from event_relay.destinations import Destination
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.telemetry.spans import NOTHING, child_span, is_recording, span_apart, within


def publish_span(destination: Destination, event: CloudEvent) -> AbstractContextManager[Span]:
    """The attempts to hand an event to a destination, until it is acknowledged or that is given up. Its parent is the
    span of the consumer's work on the event in the log."""
    if not is_recording():
        return NOTHING
    return child_span(f"publish {destination.name}", SpanKind.PRODUCER, _attributes(destination, event))


def publish_span_apart(destination: Destination, event: CloudEvent, work: Span) -> AbstractContextManager[Span]:
    """As `publish_span`, where others are handed over meanwhile; `work` is the span of the work on the event."""
    if not work.is_recording():
        return NOTHING
    attributes = _attributes(destination, event)
    return span_apart(f"publish {destination.name}", SpanKind.PRODUCER, attributes, parent=within(work))


def _attributes(destination: Destination, event: CloudEvent) -> dict[str, str]:
    attributes = {
        "messaging.system": destination.kind,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": destination.name,
        "messaging.message.id": event.id,
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": event.source,
        "cloudevents.event_type": event.type,
        "cloudevents.event_subject": event.subject,
    }
    if event.correlationid is not UNSET:
        attributes["messaging.message.conversation_id"] = event.correlationid
    return attributes
