"""How a log line is made: what every line has, and how it is written down: JSON for programs, plainly for people."""

import json
import logging
import re
from typing import Any

import msgspec
import structlog
from opentelemetry import trace

from infrastructure.version import installed_version

log = structlog.get_logger(__name__)

_encode = msgspec.json.Encoder(enc_hook=repr).encode
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def origin(service: str) -> Any:
    """The processor that says where a line comes from: service, version, and the span where there is one."""
    version = installed_version()

    def add(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line["service"] = service
        line["version"] = version
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
            line["span_id"] = f"{span.span_id:016x}"
        return line

    return add


_FIRST = ("time", "level", "event", "service", "version", "trace_id", "span_id", "correlation_id")


def as_json(_logger: Any, _method: str, line: dict[str, Any]) -> bytes:
    """One JSON object on one line, what every line has first."""
    ordered = {name: line[name] for name in _FIRST if name in line} | line
    try:
        return _encode(ordered) + b"\n"
    except (UnicodeEncodeError, msgspec.EncodeError, RecursionError, OverflowError):  # such as half a character
        return json.dumps(ordered, default=repr, ensure_ascii=False).encode(errors="replace") + b"\n"


class AsText:
    """For people: one line, and a traceback below it. Nothing that was sent to us can move the cursor or begin a line
    that looks like one of ours."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors, timestamp_key="time", repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
        )

    def __call__(self, logger: Any, method: str, line: dict[str, Any]) -> bytes:
        told = {name: value for name, value in line.items() if name not in ("service", "version")}
        exception = told.pop("exception", None)
        text = str(self._render(logger, method, told))
        if exception:
            text += "\n" + _CONTROL.sub(lambda found: repr(found[0])[1:-1], str(exception))
        return text.encode(errors="backslashreplace") + b"\n"


class LibraryLines(logging.Handler):
    """What libraries log through the standard library, as lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # a library whose format does not fit its arguments
            message = str(record.msg)
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        log.log(level, "a library says", logger=record.name, message=message, exc_info=record.exc_info)
