"""The tracer: who it says it is, what it samples, and how little it says of a collector that is away."""

from collections.abc import Iterator, Sequence
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from structlog.testing import capture_logs

from infrastructure.telemetry.spans import begin_span, is_tracing, use_tracer
from infrastructure.telemetry.tracing import SayingOnce, Tracing, resource_of
from infrastructure.version import installed_version
from tests.support.tracing import recorded_spans


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    yield
    use_tracer(None)


def linked(sampled: bool) -> Link:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return Link(SpanContext(1, 2, is_remote=True, trace_flags=flags))


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
@pytest.mark.parametrize(("links", "is_sampled"), [((True, False), True), ((False, False), False)])
def test_what_begins_with_links_is_sampled_if_one_of_them_is(
    sampler: object, links: tuple[bool, ...], is_sampled: bool
) -> None:
    with (
        recorded_spans(sampler) as recorded,  # type: ignore[arg-type]
        begin_span("batch", SpanKind.CONSUMER, links=[linked(one) for one in links]),
    ):
        pass
    assert recorded.names == (["batch"] if is_sampled else [])


def test_a_process_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    one, two = resource_of("command_api").attributes, resource_of("command_api").attributes
    assert one["service.name"] == "eventfold-command-api"
    assert one["service.version"] == installed_version()
    assert one["service.instance.id"] != two["service.instance.id"]


def test_what_the_variables_say_of_a_process_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,service.instance.id=a1")
    found = resource_of("command_api").attributes
    assert found["service.name"] == "shop"
    assert found["service.instance.id"] == "a1"
    assert found["deployment.environment.name"] == "staging"


class Collector(SpanExporter):
    """Takes spans, or fails in one way or another."""

    def __init__(self) -> None:
        self.answers: list[SpanExportResult | Exception] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_collector_that_is_away_is_said_once_and_once_when_it_is_back() -> None:
    collector, good, bad = Collector(), SpanExportResult.SUCCESS, SpanExportResult.FAILURE
    exporter = SayingOnce(collector, "http://collector:4318")
    collector.answers = [good, bad, OSError("refused"), bad, good, good, bad]
    with capture_logs() as lines:
        for _ in range(7):
            exporter.export([])
    assert [line["event"] for line in lines] == [
        "spans are lost: the collector does not take them",
        "the collector takes spans again",
        "spans are lost: the collector does not take them",
    ]
    assert {line["collector"] for line in lines} == {"http://collector:4318"}


def test_the_end_does_not_wait_for_a_collector_that_hangs() -> None:
    class Hanging(SpanExporter):
        def __init__(self) -> None:
            self.asked, self.over = Event(), Event()

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            self.asked.set()
            self.over.wait(60)

    exporter, provider = Hanging(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_tracer(provider.get_tracer("tests"))
    Tracing(provider).stop(0.05)
    assert exporter.asked.is_set()
    assert not exporter.over.is_set()
    assert not is_tracing()
    exporter.over.set()
