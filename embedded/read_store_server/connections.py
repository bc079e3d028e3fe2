"""Messages that have a short way are answered before nx-27017 sees them; the others it reads as if they came first."""

import asyncio
import logging
from typing import Any

from nx_27017 import server
from nx_27017.wire_protocol import MAX_MESSAGE_SIZE_BYTES, MESSAGE_HEADER_SIZE

from embedded.read_store_server.answers import answer
from embedded.read_store_server.requests import Request, parsed

# A message of this many bytes takes less time than handing it to another thread and back.
_SMALL = 16_384

_log = logging.getLogger(__name__)


def install() -> None:
    """Puts the short ways in front of nx-27017's own handling of a connection."""
    ordinary = server.handle_client

    async def handle_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Any) -> None:
        await ordinary(_Remaining(reader, writer, handler), writer, handler)

    server.handle_client = handle_client


class _Remaining:
    """What nx-27017 reads of a connection: the messages that have no short way. It asks first for a header's bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Any) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._message = b""
        self._given = 0

    async def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end of the connection."""
        if self._given == len(self._message):
            self._message, self._given = await self._next(), 0
        part = self._message[self._given : self._given + size]
        self._given += len(part)
        return part

    async def _next(self) -> bytes:
        while True:
            try:
                header = await self._reader.readexactly(MESSAGE_HEADER_SIZE)
                length = int.from_bytes(header[:4], "little", signed=True)
                if not MESSAGE_HEADER_SIZE < length <= MAX_MESSAGE_SIZE_BYTES:
                    return header
                message = header + await self._reader.readexactly(length - MESSAGE_HEADER_SIZE)
            except asyncio.IncompleteReadError:
                return b""
            reply = await self._short(message)
            if reply is None:
                return message
            self._writer.write(reply)
            await self._writer.drain()

    async def _short(self, message: bytes) -> bytes | None:
        try:
            request = parsed(message)
            if request is None:
                return None
            lock = self._handler._lock_for(request.database)
            if len(message) > _SMALL or not lock.acquire(blocking=False):
                return await asyncio.to_thread(self._locked, lock, request)
            try:
                return answer(self._handler, request)
            finally:
                lock.release()
        except Exception as error:
            # Whatever it is, nx-27017 decides what it means: nothing was changed.
            _log.debug("no short way for this message: %r", error)
            return None

    def _locked(self, lock: Any, request: Request) -> bytes:
        with lock:
            return answer(self._handler, request)
