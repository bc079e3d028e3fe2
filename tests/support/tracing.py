"""Spans of code that runs in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler

from infrastructure.telemetry.spans import use_tracer
from infrastructure.telemetry.tracing import LinkedSampler


class Recorded:
    """The spans that have ended so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def one(self, name: str) -> ReadableSpan:
        """The only one of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


@contextmanager
def recorded_spans(sampler: Sampler = DEFAULT_ON) -> Iterator[Recorded]:
    """Tracing is on for the block."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(LinkedSampler(sampler), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_tracer(provider.get_tracer("tests"))
    try:
        yield Recorded(exporter)
    finally:
        use_tracer(None)
