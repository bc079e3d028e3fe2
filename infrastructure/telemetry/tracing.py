"""The tracer of a process, as the standard `OTEL_*` variables have it; imported only where one is wanted.

A collector that is away or slow holds up nobody: spans wait in a queue of bounded length for a thread of their own, and
the end of the process waits for the last ones for a bounded time.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from prometheus_client import Counter

from infrastructure.telemetry.otel_variables import ENDPOINTS
from infrastructure.telemetry.spans import use_tracer
from infrastructure.version import installed_version

_FLUSH_SECONDS = 2.0
# They would say with each batch what SayingOnce says once.
_SILENCED = (
    "opentelemetry.exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
    "urllib3",
)

_EXPORTED = Counter("eventfold_trace_spans", "Spans, by what became of them: exported, lost", ["outcome"])

log = structlog.get_logger(__name__)


class Tracing:
    """What was started, to be stopped."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def stop(self, seconds: float = _FLUSH_SECONDS) -> None:
        """Exports what is left, within so many seconds; what does not get through by then is lost."""
        use_tracer(None)
        last = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(seconds)


class LinkedSampler(Sampler):
    """As another one, but what continues no trace and has links is sampled if one of these is: the work on a batch of
    events shows wherever one of the events does."""

    def __init__(self, others: Sampler) -> None:
        self._others = others

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        sampler = self._others
        if links and not trace.get_current_span(parent_context).get_span_context().is_valid:
            sampler = ALWAYS_ON if any(link.context.trace_flags.sampled for link in links) else ALWAYS_OFF
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"Linked{{{self._others.get_description()}}}"


class SayingOnce(SpanExporter):
    """Exports to another exporter; a collector that is away is said once, and once again when it is back."""

    def __init__(self, exporter: SpanExporter, where: str) -> None:
        self._exporter = exporter
        self._where = where
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        succeeded = result is SpanExportResult.SUCCESS
        _EXPORTED.labels("exported" if succeeded else "lost").inc(len(spans))
        if not succeeded and not self._is_away:
            log.warning("spans are lost: the collector does not take them", collector=self._where)
        elif succeeded and self._is_away:
            log.info("the collector takes spans again", collector=self._where)
        self._is_away = not succeeded
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def start_tracing(service: str, exporters: Sequence[str], environ: Mapping[str, str]) -> Tracing:
    """Sets the tracer of this process up; `exporters` as chosen_exporters says."""
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    provider = TracerProvider(resource=resource_of(service), shutdown_on_exit=False)
    provider.sampler = LinkedSampler(provider.sampler)
    for name in exporters:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name, environ)))
    trace.set_tracer_provider(provider)
    use_tracer(provider.get_tracer("eventfold", installed_version()))
    return Tracing(provider)


def resource_of(service: str) -> Resource:
    """What the process is; what the variables say of it goes before what is known here."""
    ours = {
        "service.name": f"eventfold-{service.replace('_', '-')}",
        "service.version": installed_version(),
        "service.instance.id": str(uuid.uuid4()),
    }
    given = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if name not in given})


def _exporter(name: str, environ: Mapping[str, str]) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(formatter=lambda span: span.to_json(None) + "\n")
    where = next((environ[one] for one in ENDPOINTS if environ.get(one)), "http://localhost:4318")
    return SayingOnce(OTLPSpanExporter(), _without_credentials(where))


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
