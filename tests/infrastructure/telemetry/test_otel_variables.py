"""OpenTelemetry's own variables: what chooses where spans go, and mistakes that are said at the start."""

import pytest

from infrastructure.http.server import run_service
from infrastructure.settings import InvalidSettings
from infrastructure.telemetry.otel_variables import chosen_exporters

HERE = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({}, ()),
        ({"OTEL_TRACES_EXPORTER": "none"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": " Console,otlp,console"}, ("console", "otlp")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{HERE}/v1/traces"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, ()),
        ({"OTEL_TRACES_EXPORTER": "", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, ("otlp",)),
    ],
)
def test_what_is_named_is_chosen_and_nothing_by_default(environ: dict[str, str], chosen: tuple[str, ...]) -> None:
    assert chosen_exporters(environ) == chosen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_TRACES_SAMPLER_ARG", "few"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan"),
    ],
)
def test_a_mistake_is_named_by_its_variable(name: str, value: str) -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "traceidratio", name: value}
    with pytest.raises(InvalidSettings, match=name):
        chosen_exporters(environ)


def test_mistakes_of_what_is_not_used_are_not_looked_at() -> None:
    assert chosen_exporters({"OTEL_TRACES_SAMPLER": "sometimes"}) == ()


def test_a_service_with_such_a_mistake_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    assert run_service("command_api", lambda _settings: pytest.fail("it was created")) == 2
    assert capsys.readouterr().err == "OTEL_TRACES_EXPORTER: none or otlp or console, not 'zipkin'\n"
