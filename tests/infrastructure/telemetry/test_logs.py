"""Lines: what each has, whoever writes it, in both forms."""

import asyncio
import gc
import logging
import os
import sys
import threading
import warnings
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from infrastructure.settings import Settings
from infrastructure.telemetry.logs import write_logs
from infrastructure.telemetry.uncaught import log_uncaught
from infrastructure.version import installed_version
from tests.infrastructure.telemetry.conftest import ReadLog

JSON = Settings.of(log_format="json")


def test_what_every_line_has(read_log: ReadLog) -> None:
    log = read_log.start(JSON)
    span = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(span)), structlog.contextvars.bound_contextvars(correlation_id="c-1"):
        log.info("a lamp was lit", stream="lamp-1", revision=3)
    log.warning("a lamp went out")
    lit, out = read_log.lines()
    assert list(lit)[:8] == [
        *("time", "level", "event", "service", "version", "trace_id", "span_id", "correlation_id"),
    ]
    assert lit["time"].endswith("Z")
    assert {name: lit[name] for name in ("level", "event", "service", "version", "stream", "revision")} == {
        "level": "info",
        "event": "a lamp was lit",
        "service": "lamps",
        "version": installed_version(),
        "stream": "lamp-1",
        "revision": 3,
    }
    assert (lit["trace_id"], lit["span_id"]) == (f"{0xA1:032x}", f"{0xB2:016x}")
    assert lit["correlation_id"] == "c-1"
    assert not {"trace_id", "span_id", "correlation_id"} & out.keys()


def test_what_is_no_json_is_written_all_the_same(read_log: ReadLog) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError

    log = read_log.start(JSON)
    log.info("odd", half="\ud800", infinite=float("inf"), large=2**90, thing=object, odd=Odd(), raw=b"\xff")
    log.info("even", several={1: ("a", {"b"})}, line="one\ntwo")
    odd, even = read_log.lines()
    assert odd["odd"] == "<Odd>"
    assert (odd["half"], odd["infinite"], odd["large"]) == ("?", "inf", 2**90)
    assert (even["several"], even["line"]) == ({"1": ["a", ["b"]]}, "one\ntwo")


def test_libraries_write_the_same_lines(read_log: ReadLog) -> None:
    read_log.start(JSON)
    logging.getLogger("uvicorn.error").warning("%s of %d", "one", 2)
    logging.getLogger("uvicorn.error").info("not from infos on")
    logging.getLogger("pymongo").critical("%d", "no number")
    try:
        raise ValueError("out of oil")
    except ValueError:
        logging.getLogger("grpc").exception("it failed")
    logging.getLogger("opentelemetry.trace.span").error("what a client sent")
    first, second, third = read_log.lines()
    assert {name: first[name] for name in ("level", "event", "logger", "message", "service")} == {
        "level": "warning",
        "event": "a library says",
        "logger": "uvicorn.error",
        "message": "one of 2",
        "service": "lamps",
    }
    assert (second["level"], second["message"]) == ("critical", "%d")
    assert "ValueError: out of oil" in third["exception"]


@pytest.fixture
def own_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    log_uncaught()


class Broken:
    def __del__(self) -> None:
        raise RuntimeError("broken for good")


def test_what_nobody_catches_is_a_line(
    read_log: ReadLog, own_hooks: None, recwarn: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    read_log.start(JSON)
    error = ValueError("lost")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=lambda: 1 / 0, name="lamp lighter")
    thread.start()
    thread.join()
    broken = Broken()
    del broken

    async def forgotten() -> None:
        raise LookupError("never asked for")

    async def main() -> None:
        task = asyncio.create_task(forgotten())
        await asyncio.wait({task})
        del task
        gc.collect()

    asyncio.run(main())
    logging.captureWarnings(False)
    lines = read_log.lines()
    assert [(one["level"], one["event"]) for one in lines] == [
        ("critical", "uncaught exception"),
        ("critical", "uncaught exception"),
        ("error", "exception that could not be raised"),
        ("error", "a library says"),
    ]
    assert lines[1]["thread"] == "lamp lighter"
    assert "ZeroDivisionError" in lines[1]["exception"]
    assert "broken for good" in lines[2]["exception"]
    assert "Broken" in lines[2]["where"]
    assert "never retrieved" in lines[3]["message"]
    assert "LookupError: never asked for" in lines[3]["exception"]
    assert "Traceback" not in capfd.readouterr().err


def test_warnings_are_lines(read_log: ReadLog, own_hooks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    read_log.start(JSON)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("worn out", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = read_log.lines()
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "worn out" in line["message"]


def test_for_people(read_log: ReadLog) -> None:
    log = read_log.start(Settings.of(log_format="console"))
    log.warning("a lamp went out", path="/lamps/\x1b[2J\n2030 [info] all is well")
    try:
        raise ValueError("\x1b[31moil")
    except ValueError:
        log.exception("it failed")
    text = read_log.text()
    assert "warning" in text
    assert "a lamp went out" in text
    assert "\x1b" not in text
    assert text.splitlines()[1].endswith("it failed")
    assert text.splitlines()[-1] == "ValueError: \\x1b[31moil"


def test_what_is_no_terminal_gets_json_unless_the_settings_say_otherwise(read_log: ReadLog) -> None:
    read_log.start(Settings()).info("a lamp was lit")
    assert read_log.lines()[0]["event"] == "a lamp was lit"


def test_a_terminal_gets_lines_for_people(read_log: ReadLog) -> None:
    controller, terminal = os.openpty()
    output = write_logs("lamps", Settings(), terminal)
    structlog.get_logger().info("a lamp was lit", stream="lamp-1")
    output.close(10)
    text = os.read(controller, 4096).decode()
    os.close(terminal)
    os.close(controller)
    assert not text.startswith("{")
    assert "a lamp was lit" in text
    assert "lamp-1" in text
