"""Notices a connection that has gone dead without a word: half open, or a server that hangs."""

import asyncio
from collections.abc import Callable

from msgspec import Struct


class KeepAliveTimes(Struct, frozen=True):
    """In seconds: after how long a silence a ping goes out, and how long its answer may take. None: no pings."""

    interval: float | None
    timeout: float


class KeepAlive:
    """Pings a silent connection; calls `on_loss` when nothing at all has come back in time.

    Whatever is received counts as a sign of life, so a busy connection is never pinged.
    """

    def __init__(self, times: KeepAliveTimes, ping: Callable[[], None], on_loss: Callable[[], None]) -> None:
        self._times = times
        self._heard = False
        self._is_asked = False
        self._ping = ping
        self._on_loss = on_loss
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to watch."""
        self._is_asked = False
        if self._times.interval is not None:
            self._watch(self._times.interval, self._ask)

    def hear(self) -> None:
        """A sign of life: anything has been received."""
        self._heard = True
        if self._is_asked:
            self.stop()
            self.start()

    def stop(self) -> None:
        """Watches no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        if self._heard:
            self.start()
        else:
            self._is_asked = True
            self._watch(self._times.timeout, self._on_loss)
            self._ping()

    def _watch(self, seconds: float, then: Callable[[], None]) -> None:
        self._heard = False
        self._timer = asyncio.get_running_loop().call_later(seconds, then)
