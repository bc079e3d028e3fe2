"""The standard `OTEL_*` variables, as far as a mistake in them must be said at the start.

What each of them means is OpenTelemetry's own affair: the SDK and its exporter read them.
"""

from collections.abc import Mapping

from infrastructure.settings import InvalidSettings

EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = ("none", "otlp", "console")
_SAMPLERS = frozenset(
    {
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    }
)


def chosen_exporters(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where spans go to; nowhere by default, and to the collector where only its endpoint is named. Raises
    InvalidSettings."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    named = environ.get(EXPORTER, "").strip().lower()
    if not named and any(environ.get(name) for name in ENDPOINTS):
        named = "otlp"
    exporters = dict.fromkeys(name.strip() for name in named.split(",")) if named else {}
    for name in exporters:
        if name not in _EXPORTERS:
            raise InvalidSettings(f"{EXPORTER}: {' or '.join(_EXPORTERS)}, not {name[:50]!r}")
    chosen = tuple(name for name in exporters if name != "none")
    if chosen:
        _check(environ)
    return chosen


def _check(environ: Mapping[str, str]) -> None:
    """What the SDK would pass over in silence, or fail at later."""
    for name in _PROTOCOLS:
        if environ.get(name, "http/protobuf") not in ("", "http/protobuf"):
            raise InvalidSettings(f"{name}: only http/protobuf is spoken here, not {environ[name][:50]!r}")
    for name in ENDPOINTS:
        if environ.get(name) and not environ[name].startswith(("http://", "https://")):
            raise InvalidSettings(f"{name}: an address that begins with http:// or https://")
    sampler = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if sampler and sampler not in _SAMPLERS:
        raise InvalidSettings(f"OTEL_TRACES_SAMPLER: one of {', '.join(sorted(_SAMPLERS))}, not {sampler[:50]!r}")
    if sampler.endswith("traceidratio") and not _is_share(environ.get("OTEL_TRACES_SAMPLER_ARG", "1")):
        raise InvalidSettings("OTEL_TRACES_SAMPLER_ARG: a share from 0 to 1, such as 0.01")
    for name in ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"):
        if environ.get(name) and not environ[name].replace(".", "", 1).isdigit():
            raise InvalidSettings(f"{name}: seconds, such as 10")


def _is_share(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False
