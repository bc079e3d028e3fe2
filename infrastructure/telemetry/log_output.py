"""Where log lines go: a file descriptor that may be slow, stuck or closed, while the service goes on.

A thread of its own writes. What reads the lines and falls behind finds some missing, and a line that says how many:
never a service that waits (docs/decisions/0023).
"""

import errno
import os
import select
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from prometheus_client import Counter

MOST_WAITING = 10_000
"""So many lines wait at most to be written; further ones are dropped."""
_AT_ONCE = 65_536
_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.EIO})

_DROPPED = Counter("eventfold_log_lines_dropped", "Log lines that were not written: nobody read them, or fast enough")


class LogOutput:
    """Writes to `descriptor` until it is closed, by us or at the other end. `dropped` makes the line that says how many
    were dropped."""

    def __init__(self, descriptor: int, dropped: Callable[[int], bytes], *, most_waiting: int = MOST_WAITING) -> None:
        self._descriptor = descriptor
        self._dropped_line = dropped
        self._most_waiting = most_waiting
        # Its `put` can be interrupted by itself: a line may be written while an object is collected within another's.
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._dropped = 0
        self._over = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Hands a line over, with its end; never waits."""
        if self._over or self._lines.qsize() >= self._most_waiting:
            self._drop(1)
        else:
            self._lines.put(line)

    def close(self, seconds: float = 1.0) -> None:
        """Writes what waits, within so many seconds; what comes later is dropped."""
        self._lines.put(None)
        self._thread.join(seconds)
        self._over = True

    def _run(self) -> None:
        while True:
            first = self._lines.get()
            if first is None:
                return
            pieces, ended = self._more(first)
            if self._over:
                self._drop(len(pieces))
            else:
                lines = len(pieces)
                if self._dropped:
                    lost, self._dropped = self._dropped, 0
                    pieces.append(self._dropped_line(lost))
                self._write(b"".join(pieces), lines)
            if ended:
                return

    def _more(self, first: bytes) -> tuple[list[bytes], bool]:
        """All that waits, up to a bound, and whether it is the end."""
        pieces, size = [first], len(first)
        while size < _AT_ONCE:
            try:
                piece = self._lines.get_nowait()
            except Empty:
                break
            if piece is None:
                return pieces, True
            pieces.append(piece)
            size += len(piece)
        return pieces, False

    def _write(self, content: bytes, lines: int) -> None:
        left = memoryview(content)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # whoever shares the descriptor may have made it so
                select.select([], [self._descriptor], [])
            except OSError as error:
                # A full disk may have room again; a pipe that nobody reads any more stays closed.
                self._over = error.errno in _GONE
                self._drop(lines)
                return

    def _drop(self, lines: int) -> None:
        self._dropped += lines
        _DROPPED.inc(lines)
