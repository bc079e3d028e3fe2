"""The tracer of a process: where its spans go."""

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from infrastructure.settings import TelemetrySettings


def start_tracing(service: str, settings: TelemetrySettings) -> None:
    """Configures the tracer of this process."""
    if settings.traces == "console":
        provider = TracerProvider(resource=Resource.create({"service.name": f"eventfold-{service}"}))
        provider.add_span_processor(
            BatchSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(None) + "\n"))
        )
        trace.set_tracer_provider(provider)
