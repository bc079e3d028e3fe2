"""Logs of a command's own process: on standard error, whichever that is when a line is written."""

import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from ops.output import keep_logs_apart


@pytest.fixture(autouse=True)
def default_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_goes_to_the_standard_error_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    log = structlog.get_logger()
    monkeypatch.setattr(sys, "stderr", first)
    keep_logs_apart()
    first.close()
    monkeypatch.setattr(sys, "stderr", second)
    log.warning("still heard", error="no answer from mongodb://ada:canary@a/")
    log.info("not from warnings on")
    assert "still heard" in second.getvalue()
    assert "ada:***@a" in second.getvalue()
    assert "not from" not in second.getvalue()
