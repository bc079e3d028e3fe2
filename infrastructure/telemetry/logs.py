"""The log of a process: lines on standard output, JSON or for people, each without secrets (docs/observability.md)."""

import atexit
import logging
import os
import sys
from typing import Any

import structlog

from infrastructure.settings import Settings
from infrastructure.telemetry.log_level import LOG_LEVEL, AdjustableLogger
from infrastructure.telemetry.log_lines import AsText, LibraryLines, as_json, origin
from infrastructure.telemetry.log_output import LogOutput
from infrastructure.telemetry.redaction import Redactor
from infrastructure.telemetry.uncaught import log_uncaught

# They log the headers that they find malformed, as they came: what a client sends would fill the log.
_SILENCED = ("opentelemetry.trace.span", "opentelemetry.trace.propagation.tracecontext")


def start_logs(service: str, settings: Settings) -> None:
    """Configures logging of this process, to standard output."""
    # Python has none where it was closed at the start; its number may be a connection's by now.
    output = write_logs(service, settings, -1 if sys.stdout is None else sys.stdout.fileno())
    atexit.register(output.close)
    log_uncaught()


def write_logs(service: str, settings: Settings, descriptor: int) -> LogOutput:
    """Configures logging of this process, to a file descriptor; whoever calls this closes what it gives."""
    level: Any = settings.telemetry.log_level
    processors = _processors(service, settings, is_terminal=os.isatty(descriptor))
    output = LogOutput(descriptor, _dropped_line(processors))
    structlog.configure(
        processors=processors,
        wrapper_class=AdjustableLogger,
        logger_factory=lambda *_: _Sink(output),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[LibraryLines()], force=True)
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    LOG_LEVEL.start_at(level)
    return output


def _processors(service: str, settings: Settings, *, is_terminal: bool) -> list[Any]:
    chosen = settings.telemetry.log_format
    renderer = as_json if chosen == "json" or (chosen == "auto" and not is_terminal) else AsText(colors=is_terminal)
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        origin(service),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Redactor.of(settings).line,
        renderer,
    ]


class _Sink:
    """What structlog hands finished lines to, whatever their level."""

    def __init__(self, output: LogOutput) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.msg = output.write


def _dropped_line(processors: list[Any]) -> Any:
    def line(count: int) -> bytes:
        said: Any = {"event": "log lines were dropped", "lines": count}
        for processor in processors:
            said = processor(None, "warning", said)
        return bytes(said)

    return line
