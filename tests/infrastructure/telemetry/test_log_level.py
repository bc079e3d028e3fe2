"""The level is changed while the process runs, for loggers that exist too, and comes back by itself."""

import asyncio
import logging

import pytest
import structlog

from infrastructure.settings import Settings
from infrastructure.telemetry.log_level import LEVELS, LOG_LEVEL, AdjustableLogger
from tests.infrastructure.telemetry.conftest import ReadLog


def say_all(log: object) -> None:
    for level in (*LEVELS, "critical"):
        getattr(log, level)(level)


@pytest.mark.parametrize("level", LEVELS)
def test_a_logger_that_exists_follows(read_log: ReadLog, level: str) -> None:
    log = read_log.start(Settings.of(log_format="json", log_level="error"))
    bound = log.bind(lamp=1)
    say_all(log)
    LOG_LEVEL.change(level)  # type: ignore[arg-type]
    say_all(log)
    say_all(bound)
    heard = [*LEVELS[LEVELS.index(level) :], "critical"]  # type: ignore[arg-type]
    assert [one["event"] for one in read_log.lines()] == ["error", "critical", *heard, *heard]


def test_libraries_are_heard_from_warnings_on_at_most(read_log: ReadLog) -> None:
    read_log.start(Settings.of(log_format="json"))
    for level, lowest in (("debug", logging.WARNING), ("error", logging.ERROR), ("info", logging.WARNING)):
        LOG_LEVEL.change(level)  # type: ignore[arg-type]
        assert logging.getLogger().level == lowest


def test_what_is_below_the_level_does_nothing(read_log: ReadLog) -> None:
    log = read_log.start(Settings.of(log_format="json"))
    assert log.debug("unheard") is None
    nothing = structlog.make_filtering_bound_logger(logging.CRITICAL).debug
    assert AdjustableLogger.debug is nothing, "the very method that structlog has for a level that is off"


async def test_it_comes_back_by_itself(read_log: ReadLog) -> None:
    log = read_log.start(Settings.of(log_format="json", log_level="warning"))
    LOG_LEVEL.change("debug", 0.02)
    assert LOG_LEVEL.until is not None
    log.debug("heard")
    async with asyncio.timeout(10):
        while LOG_LEVEL.level != "warning":
            await asyncio.sleep(0.001)
    assert LOG_LEVEL.until is None
    log.info("unheard")
    assert [one["event"] for one in read_log.lines()] == ["heard"]


async def test_a_later_change_ends_the_wait(read_log: ReadLog) -> None:
    read_log.start(Settings.of(log_format="json"))
    LOG_LEVEL.change("debug", 3600)
    timer = LOG_LEVEL._timer
    LOG_LEVEL.change("error")
    assert timer is not None
    assert timer.cancelled()
    assert (LOG_LEVEL.level, LOG_LEVEL.until) == ("error", None)
