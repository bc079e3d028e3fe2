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
        self.heard = False  # set with everything received
        self._times = times
        self._ping = ping
        self._on_loss = on_loss
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to watch."""
        if self._times.interval is not None:
            self._watch(self._times.interval, self._ask)

    def stop(self) -> None:
        """Watches no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self) -> None:
        assert self._times.interval is not None
        if self.heard:
            self._watch(self._times.interval, self._ask)
        else:
            self._ping()
            self._watch(self._times.timeout, self._judge)

    def _judge(self) -> None:
        self._timer = None
        if self.heard:
            self.start()
        else:
            self._on_loss()

    def _watch(self, seconds: float, then: Callable[[], None]) -> None:
        self.heard = False
        self._timer = asyncio.get_running_loop().call_later(seconds, then)
