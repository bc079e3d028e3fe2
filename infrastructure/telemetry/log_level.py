"""The level of this process's log: set at the start, changeable while it runs, also of loggers that exist already."""

import asyncio
import logging
from time import time
from typing import Any, Literal, get_args

import structlog

LevelName = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[LevelName, ...] = get_args(LevelName)
_NUMBERS = logging.getLevelNamesMapping()


class AdjustableLogger(structlog.make_filtering_bound_logger(logging.INFO)):  # type: ignore[misc]  # made at run time
    """The class of every logger of a service. structlog hands out loggers of a fixed level and keeps them for good; so
    the level is changed by exchanging the methods of their class. What is below the level costs a call that does
    nothing."""


class LogLevel:
    """`configured` is the level that the settings name, `level` the present one; `until` is when that ends, in epoch
    seconds, None where it stays."""

    def __init__(self) -> None:
        self.configured: LevelName = "info"
        self.level: LevelName = "info"
        self.until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start_at(self, level: LevelName) -> None:
        """The level from the start on."""
        self.configured = level
        self._apply(level, None)

    def change(self, level: LevelName, seconds: float | None = None) -> None:
        """From now on; with `seconds`, which needs a running loop, the configured level comes back after them."""
        self._apply(level, None if seconds is None else time() + seconds)
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.change, self.configured)

    def _apply(self, level: LevelName, until: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.level, self.until = level, until
        number = _NUMBERS[level.upper()]
        source: Any = structlog.make_filtering_bound_logger(number)
        for name, method in vars(source).items():
            if not name.startswith("__"):
                setattr(AdjustableLogger, name, method)
        # Libraries tell far more than anybody wants to read while looking for a fault of ours.
        logging.getLogger().setLevel(max(number, logging.WARNING))


LOG_LEVEL = LogLevel()
"""Of this process: as the loggers themselves, there is one."""
