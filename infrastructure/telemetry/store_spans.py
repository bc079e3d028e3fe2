"""Spans of calls to the stores, by OpenTelemetry's conventions for databases; only within a span that is recorded."""

from contextlib import AbstractContextManager

from opentelemetry.trace import Span, SpanKind

from infrastructure.telemetry.spans import NOTHING, Attributes, child_span, is_recording

EVENT_STORE = "eventstoredb"
READ_STORE = "mongodb"


def store_span(
    system: str,
    operation: str,
    collection: str,
    attributes: Attributes | None = None,
    *,
    refusals: tuple[type[Exception], ...] = (),
) -> AbstractContextManager[Span]:
    """A call to a store. `collection` is what is read or written: a collection, or the category of a stream."""
    if not is_recording():
        return NOTHING
    given = {
        "db.system.name": system,
        "db.operation.name": operation,
        "db.collection.name": collection,
        **(attributes or {}),
    }
    return child_span(f"{operation} {collection}", SpanKind.CLIENT, given, refusals=refusals)


def stream_span(
    operation: str, stream: str, events: int = 0, *, refusals: tuple[type[Exception], ...] = ()
) -> AbstractContextManager[Span]:
    """A call to the event store about one stream, with so many events to be written."""
    if not is_recording():
        return NOTHING
    attributes: dict[str, str | int] = {"eventfold.stream": stream}
    if events:
        attributes["eventfold.events"] = events
    return store_span(EVENT_STORE, operation, stream.partition("-")[0], attributes, refusals=refusals)
