"""Detects a connection that is dead without an error: half open, or a server that hangs."""

import asyncio
from collections.abc import Callable

from msgspec import Struct


class KeepAliveTimes(Struct, frozen=True):
    """In seconds: after how long a silence a ping is sent, and how long the response may take. None: no pings."""

    interval: float | None
    timeout: float


class KeepAlive:
    """Pings a silent connection; calls `on_loss` when nothing has come back in time.

    Whatever is received counts as a sign of life, so a busy connection is never pinged.
    """

    def __init__(self, times: KeepAliveTimes, ping: Callable[[], None], on_loss: Callable[[], None]) -> None:
        self._times = times
        self._active = False
        self._ping_sent = False
        self._ping = ping
        self._on_loss = on_loss
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._ping_sent = False
        if self._times.interval is not None:
            self._watch(self._times.interval, self._check)

    def note_activity(self) -> None:
        """Something has been received."""
        self._active = True
        if self._ping_sent:
            self.stop()
            self.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._active:
            self.start()
        else:
            self._ping_sent = True
            self._watch(self._times.timeout, self._on_loss)
            self._ping()

    def _watch(self, seconds: float, then: Callable[[], None]) -> None:
        self._active = False
        self._timer = asyncio.get_running_loop().call_later(seconds, then)
