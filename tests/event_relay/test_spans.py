"""Spans of what goes out: in the trace of the event, one for each published event and destination; none when off."""

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY

from event_relay.spans import publish_span
from infrastructure.resilience import DependencyUnavailable
from infrastructure.telemetry.spans import NOTHING
from tests.event_relay.test_relay import Make, Receiver, Together, destination, mapped, relaying
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import all_done
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.order_logs import OrderLog, confirmed, created
from tests.support.tracing import recorded_spans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(params=[Receiver, Together])
def make(request: pytest.FixtureRequest) -> Make:
    """One by one, and together."""
    found: Make = request.param
    return found


def one_order() -> OrderLog:
    log = OrderLog()
    stored = log.add("order-a", created("a"))
    metadata = msgspec.json.decode(stored.metadata) | {"traceparent": PARENT, "$correlationId": "visit-7"}
    log.events = [msgspec.structs.replace(stored, metadata=msgspec.json.encode(metadata))]
    return log


def test_while_tracing_is_off_there_is_nothing():
    [event] = mapped(one_order().events)
    assert publish_span(destination(), event) is NOTHING


async def test_what_is_published_is_a_span_in_the_trace_of_its_event(make: Make):
    events, receiver = one_order().events, make()
    log = ScriptedLog(events)
    with recorded_spans() as recorded:
        async with relaying(log, MemoryReadStore(), (destination(), receiver)) as relay:
            await all_done(log, relay, 1)
    published, process = recorded.one("publish tests"), recorded.one("process relay_tests")
    assert published.parent is not None
    assert published.context.trace_id == process.context.trace_id == int(TRACE, 16)
    assert published.parent.span_id == process.context.span_id
    assert published.kind is SpanKind.PRODUCER
    [event] = receiver.taken
    assert dict(published.attributes or {}) == {
        "messaging.system": "webhook",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "tests",
        "messaging.message.id": event.id,
        "messaging.message.conversation_id": "visit-7",
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": "urn:eventfold:ordering",
        "cloudevents.event_type": "ordering.order-placed.v1",
        "cloudevents.event_subject": "a",
    }
    # The envelope is what follows from the log, whoever publishes it, and how often.
    assert event.traceparent == PARENT


async def test_of_many_together_each_has_its_own_span():
    orders = OrderLog()
    for order in "abc":
        orders.add(f"order-{order}", created(order))
        orders.add(f"order-{order}", confirmed(order))
    log, receiver = ScriptedLog(orders.events), Together()
    acknowledged = sample("acknowledged")
    with recorded_spans() as recorded:
        async with relaying(log, MemoryReadStore(), (destination(), receiver)) as relay:
            await all_done(log, relay, 1)
    assert {span.name for span in recorded.spans} == {"publish tests", "process relay_tests"}
    work = {span.context.span_id: span for span in recorded.spans if span.name == "process relay_tests"}
    published = [span for span in recorded.spans if span.name == "publish tests"]
    assert len(work) == len(log.events)
    assert sorted(attribute(span, "messaging.message.id") for span in published) == sorted(
        event.id for event in receiver.taken
    )
    for span in published:
        assert span.parent is not None
        of = work[span.parent.span_id]
        assert attribute(of, "eventfold.stream") == f"order-{attribute(span, 'cloudevents.event_subject')}"
        assert span.end_time <= of.end_time
    assert sample("acknowledged") - acknowledged == len(receiver.taken) > 3


def attribute(span: ReadableSpan, name: str) -> str:
    return str((span.attributes or {})[name])


def sample(outcome: str) -> float:
    """How many deliveries had this outcome so far."""
    labels = {"consumer": "relay_tests", "outcome": outcome}
    return REGISTRY.get_sample_value("eventfold_relay_deliveries_total", labels) or 0


async def test_a_failure_is_told_by_its_kind_alone(make: Make):
    failures = [DependencyUnavailable("relay_tests", "the secret reason")]
    receiver = make(lambda _event: failures.pop() if failures else None)
    log = ScriptedLog(one_order().events)
    with recorded_spans() as recorded:
        async with relaying(log, MemoryReadStore(), (destination(), receiver)) as relay:
            await all_done(log, relay, 1)
    first, last = [span for span in recorded.spans if span.name == "publish tests"]
    assert (first.status.status_code, last.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    # Of events handed over together the destination does not say what became of each.
    assert attribute(first, "error.type") == ("abandoned" if make is Together else "DependencyUnavailable")
    assert "secret" not in first.to_json()
