"""A look through the whole file of a large log, beside the work: at start only its ends are read."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

_INTERRUPT_SECONDS = 0.01


class IntegrityCheck:
    """
    Reads every page once, on a connection and a thread of its own that gives way to all others. When the structure
    of the file is damaged, `on_damage` is called with what was found, on the event loop.
    """

    def __init__(self, connection: sqlite3.Connection, on_damage: Callable[[str], None]) -> None:
        self._connection = connection
        self._on_damage = on_damage
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="event-log-check", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Give up what is not read yet."""
        self._closing = True
        while self._thread.is_alive():
            self._connection.interrupt()
            await asyncio.sleep(_INTERRUPT_SECONDS)
        self._connection.close()

    # On the check's thread

    def _run(self) -> None:
        _give_way()
        try:
            found = "ok" if self._closing else self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            if self._closing:
                return
            found = str(error)
        if found != "ok":
            with suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._on_damage, " ".join(found.split()))


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere, a thread has no priority of its own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
