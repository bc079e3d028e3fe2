"""The transport that uvicorn's protocol writes to: it knows whether the client takes what is written."""

import asyncio
from collections.abc import Callable
from typing import Any


class WatchedTransport(asyncio.Transport):
    """Passes everything on to `transport`, except closing, which `close` decides on."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.abort = transport.abort  # type: ignore[method-assign]
        self._transport = transport
        self._close = close
        self._closing = False
        self._written = 0
        self._mark: int | None = None
        self._marked_at = 0.0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        self._written += len(data)
        self._transport.write(data)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._close()

    def end_output(self) -> None:
        """Nothing more is written; the client sees the end, and can still send."""
        self._closing = True
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def flush_and_close(self) -> None:
        """Closes the connection once the client has taken what was written."""
        self._closing = True
        self._transport.close()

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    @property
    def unsent(self) -> int:
        """Bytes written that wait in this process for the client to take more."""
        return self._transport.get_write_buffer_size()

    def stop_clock(self, seconds: float) -> None:
        """For so long, nobody looked whether the client took more."""
        self._marked_at += seconds

    def is_stalled(self, now: float, timeout: float) -> bool:
        """Whether something that was written `timeout` seconds ago or earlier still waits; to be asked regularly."""
        unsent = self.unsent
        if not unsent:
            self._mark = None
        elif self._mark is None or self._written - unsent >= self._mark:
            self._mark, self._marked_at = self._written, now
        return self._mark is not None and now - self._marked_at > timeout
