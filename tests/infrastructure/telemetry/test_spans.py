"""Spans: none while tracing is off, none within what is not recorded, and nothing of what an exception says."""

import asyncio
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from infrastructure.telemetry import NO_TRACE, TraceContext, current_trace, received_trace, trace_headers
from infrastructure.telemetry.spans import NOTHING, begin_span, child_span, is_recording, is_tracing, note
from infrastructure.telemetry.store_spans import store_span, stream_span
from tests.support.tracing import recorded_spans

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Refused(Exception):
    pass


def test_while_tracing_is_off_there_is_no_span_and_no_context() -> None:
    assert not is_tracing()
    before = context.get_current()
    spans = [
        begin_span("a", SpanKind.SERVER),
        child_span("b"),
        store_span("s", "find", "c"),
        stream_span("read", "d-1"),
    ]
    assert all(span is NOTHING for span in spans)
    with spans[0] as span:
        span.set_attribute("key", "value")
        note({"more": 1})
        assert context.get_current() is before
        assert not is_recording()
        assert current_trace() is NO_TRACE
        assert trace_headers() == {}


def test_while_tracing_is_off_what_a_client_sent_is_kept_as_it_is() -> None:
    assert received_trace([TRACEPARENT], ["vendor=1"]) == TraceContext(TRACEPARENT, "vendor=1")
    assert received_trace([]) is NO_TRACE


def test_a_part_is_a_span_only_within_one_that_is_recorded() -> None:
    with recorded_spans() as recorded:
        assert child_span("alone") is NOTHING
        with begin_span("whole", SpanKind.SERVER), stream_span("append", "lamp-l-1", 2):
            pass
    part, whole = recorded.spans
    assert part.parent == whole.context
    assert (part.name, part.kind) == ("append lamp", SpanKind.CLIENT)
    assert dict(part.attributes or {}) == {
        "db.system.name": "eventstoredb",
        "db.operation.name": "append",
        "db.collection.name": "lamp",
        "eventfold.stream": "lamp-l-1",
        "eventfold.events": 2,
    }


def test_what_is_not_sampled_has_no_parts_but_says_so_to_whoever_goes_on() -> None:
    with recorded_spans(ALWAYS_OFF) as recorded, begin_span("whole", SpanKind.SERVER):
        assert child_span("part") is NOTHING
        sent = current_trace()
        assert trace_headers()["traceparent"] == sent.traceparent
    assert recorded.spans == []
    assert sent.traceparent is not None
    assert int(sent.traceparent[-2:], 16) & 1 == 0


def test_a_span_continues_its_parent_whatever_the_current_one_is() -> None:
    with recorded_spans() as recorded:
        parent = TraceContext(TRACEPARENT, "vendor=1").context
        with begin_span("other", SpanKind.SERVER), begin_span("continued", SpanKind.CONSUMER, parent=parent):
            assert trace_headers()["tracestate"] == "vendor=1"
        with begin_span("first", SpanKind.CONSUMER), begin_span("second", SpanKind.CONSUMER):
            pass
    assert f"{recorded.one('continued').context.trace_id:032x}" == TRACEPARENT[3:35]
    assert recorded.one("second").parent is None


@pytest.mark.parametrize(("error", "status"), [(Refused("ada@shop.example"), "UNSET"), (ValueError("ada"), "ERROR")])
def test_an_exception_is_told_by_its_kind_alone(error: Exception, status: str) -> None:
    with (
        recorded_spans() as recorded,
        pytest.raises(type(error)),
        begin_span("failing", SpanKind.SERVER, refusals=(Refused,)),
    ):
        raise error
    span = recorded.one("failing")
    assert span.attributes == {"error.type": type(error).__qualname__}
    assert span.status.status_code is StatusCode[status]
    assert span.status.description is None
    assert span.events == ()


async def test_tasks_go_on_with_the_span_that_they_were_started_in() -> None:
    async def part() -> None:
        await asyncio.sleep(0)
        with child_span("part"):
            pass

    with recorded_spans() as recorded:
        tasks: list[Any] = []
        for name in ("one", "two"):
            with begin_span(name, SpanKind.INTERNAL):
                tasks.append(asyncio.create_task(part()))
        for task in tasks:
            # A span that has ended is recorded no more: a part that begins later is left out.
            await task
        assert not trace.get_current_span().get_span_context().is_valid
    assert recorded.names == ["one", "two"]
