"""Requests on the fast path get their response before nx-27017 sees them; it reads only the other messages."""

import asyncio
import logging
from typing import Any

from nx_27017 import server
from nx_27017.wire_protocol import MAX_MESSAGE_SIZE_BYTES, MESSAGE_HEADER_SIZE

from embedded.read_store_server.messages import Request, parse_request
from embedded.read_store_server.responses import respond

# A message of this many bytes takes less time than handing it to another thread and back.
_SMALL = 16_384

_log = logging.getLogger(__name__)


def install() -> None:
    """Puts the fast path in front of nx-27017's own handling of a connection."""
    ordinary = server.handle_client

    async def handle_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Any) -> None:
        await ordinary(_OtherMessages(reader, writer, handler), writer, handler)

    server.handle_client = handle_client


class _OtherMessages:
    """What nx-27017 reads of a connection: the messages that are not on the fast path. It reads each header first."""

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
            response = await self._fast_response(message)
            if response is None:
                return message
            self._writer.write(response)
            await self._writer.drain()

    async def _fast_response(self, message: bytes) -> bytes | None:
        try:
            request = parse_request(message)
            if request is None:
                return None
            lock = self._handler._lock_for(request.database)
            if len(message) > _SMALL or not lock.acquire(blocking=False):
                return await asyncio.to_thread(self._locked, lock, request)
            try:
                return respond(self._handler, request)
            finally:
                lock.release()
        except Exception as error:
            # nx-27017 handles the message instead, whatever the error: nothing was changed.
            _log.debug("no fast path for this message: %r", error)
            return None

    def _locked(self, lock: Any, request: Request) -> bytes:
        with lock:
            return respond(self._handler, request)
