"""A client that writes the bytes of HTTP itself, at the pace that a test wants."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec import Struct

# For conditions on a busy machine: reached only when something is wrong.
PATIENCE = 60.0


class RawResponse(Struct):
    """One response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Raises ConnectionError when the server has closed the connection."""
        self.writer.write(data)
        await self.writer.drain()

    async def response(self) -> RawResponse:
        """The next response, with a Content-Length.

        Raises asyncio.IncompleteReadError when the connection ends before it.
        """
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self._reader.readexactly(int(headers["content-length"]))
        return RawResponse(int(first.split()[1]), headers, body)

    async def may_continue(self) -> None:
        """Waits until the server asks for the body that was announced with `Expect: 100-continue`."""
        async with asyncio.timeout(PATIENCE):
            assert await self._reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    async def end(self) -> bytes:
        """What else comes until the server ends the connection."""
        async with asyncio.timeout(PATIENCE):
            rest = b""
            with suppress(ConnectionError):
                while data := await self._reader.read(65536):
                    rest += data
            return rest

    @asynccontextmanager
    async def sending(self, pieces: Iterable[bytes], pause: float = 0.05) -> AsyncIterator[None]:
        """Sends the pieces one by one, as long as the server takes them, during the block."""

        async def send() -> None:
            with suppress(ConnectionError):
                for piece in pieces:
                    await self.send(piece)
                    await asyncio.sleep(pause)

        task = asyncio.create_task(send())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def connected(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[RawClient]:
    """A connection to a service on this machine, for the block; `receive_buffer` in bytes, or as the system has it."""
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=client)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
