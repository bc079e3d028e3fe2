"""A log of this process that a test reads, and everything as it was after it."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from infrastructure.settings import Settings
from infrastructure.telemetry import log_lines, uncaught
from infrastructure.telemetry.log_level import LOG_LEVEL
from infrastructure.telemetry.log_output import LogOutput
from infrastructure.telemetry.logs import write_logs


class ReadLog:
    """The log of a service called "lamps", written to a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        self._output: LogOutput | None = None

    def start(self, settings: Settings) -> Any:
        """A logger of the process with these settings."""
        for kept in (log_lines.log, uncaught.log):  # by an earlier log of this process
            vars(kept).pop("bind", None)
        self._output = write_logs("lamps", settings, self._descriptor)
        return structlog.get_logger()

    def text(self) -> str:
        """All that has been written; nothing is written after this."""
        assert self._output is not None
        self._output.close(10)
        os.close(self._descriptor)
        return self._file.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """All lines, decoded; as `text`."""
        return [msgspec.json.decode(line) for line in self.text().splitlines()]


@pytest.fixture
def read_log(tmp_path: Path) -> Iterator[ReadLog]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield ReadLog(tmp_path / "log")
    LOG_LEVEL.start_at("info")
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
