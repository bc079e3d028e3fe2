"""Spans of what is done with events: one event's trace is continued, many traces are linked."""

from collections.abc import Sequence

import msgspec
import pytest
from msgspec import Struct
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from infrastructure.event_store import StoredEvent
from infrastructure.telemetry import NO_TRACE
from infrastructure.telemetry.spans import NOTHING
from subscriptions.spans import MOST_LINKS, batch_span, event_span, trace_of
from tests.support.tracing import recorded_spans


class Step(Struct):
    stored: StoredEvent


def stored(position: int, trace: int | None = None, *, sampled: bool = True) -> StoredEvent:
    parent = f"00-{trace:032x}-{position + 1:016x}-{int(sampled):02x}" if trace else None
    metadata = msgspec.json.encode({"actor": "ada"} | ({"traceparent": parent} if parent else {}))
    return StoredEvent(f"id-{position}", "LampLit", "lamp-l-1", position, position, 0, b"{}", metadata)


def steps(*traces: int | None, sampled: bool = True) -> Sequence[Step]:
    return [Step(stored(position, trace, sampled=sampled)) for position, trace in enumerate(traces)]


def test_while_tracing_is_off_metadata_is_not_looked_at() -> None:
    assert event_span("lights", stored(1, 7)) is NOTHING
    assert batch_span("lights", steps(7, 8)) is NOTHING


def test_the_work_on_one_event_continues_its_trace() -> None:
    with recorded_spans() as recorded, event_span("lights", stored(4, 7)):
        pass
    (span,) = recorded.spans
    assert span.parent is not None
    assert (span.parent.trace_id, span.parent.span_id, span.kind) == (7, 5, SpanKind.CONSUMER)
    assert span.name == "process lights"
    assert dict(span.attributes or {}) == {
        "messaging.system": "eventstoredb",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "lights",
        "messaging.destination.name": "lamp",
        "messaging.message.id": "id-4",
        "eventfold.event": "LampLit",
        "eventfold.stream": "lamp-l-1",
        "eventfold.position": 4,
    }


def test_a_batch_of_one_trace_continues_it_after_its_newest_event() -> None:
    with recorded_spans() as recorded, batch_span("lights", steps(7, None, 7)):
        pass
    (span,) = recorded.spans
    assert span.parent is not None
    assert (span.parent.trace_id, span.parent.span_id) == (7, 3)
    assert [link.context.span_id for link in span.links] == [1]
    assert (span.attributes or {})["messaging.batch.message_count"] == 3


def test_a_batch_of_several_traces_has_one_of_its_own_and_links_to_each() -> None:
    with recorded_spans() as recorded, batch_span("lights", steps(7, 8, None, 8)):
        pass
    (span,) = recorded.spans
    assert span.parent is None
    assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [(8, 4), (8, 2), (7, 1)]


def test_links_are_bounded_and_are_those_of_the_newest() -> None:
    with recorded_spans() as recorded, batch_span("lights", steps(*range(1, 1001))):
        pass
    (span,) = recorded.spans
    assert [link.context.trace_id for link in span.links] == list(range(1000, 1000 - MOST_LINKS, -1))


@pytest.mark.parametrize(("traces", "sampled"), [((7, 7), False), ((7, 8), False), ((7, 8), True)])
def test_a_batch_is_sampled_as_its_events_are(traces: tuple[int, ...], sampled: bool) -> None:
    with recorded_spans() as recorded, batch_span("lights", steps(*traces, sampled=sampled)):
        pass
    assert len(recorded.spans) == sampled


def test_events_without_a_trace_are_sampled_like_anything_that_begins() -> None:
    for sampler, number in ((None, 1), (ALWAYS_OFF, 0)):
        with recorded_spans(*([sampler] if sampler else [])) as recorded, batch_span("lights", steps(None)):
            pass
        assert len(recorded.spans) == number


@pytest.mark.parametrize(
    "metadata",
    [b"", b"{", b"\xff", b"[]", b'{"traceparent": 7}', b'{"traceparent": "00-xyz"}', b'{"tracestate": "a=1"}'],
)
def test_metadata_that_names_no_trace_begins_one(metadata: bytes) -> None:
    event = msgspec.structs.replace(stored(1), metadata=metadata)
    assert trace_of(event).context is None
    if b"00-xyz" not in metadata and b"state" not in metadata:
        assert trace_of(event) == NO_TRACE
    with recorded_spans() as recorded, event_span("lights", event):
        pass
    assert recorded.spans[0].parent is None
