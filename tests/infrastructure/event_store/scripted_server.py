"""An HTTP/2 server that does to each connection what a test's script says, right or wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from esdbclient.protos.Grpc import streams_pb2
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, PingReceived, RequestReceived, StreamReset, WindowUpdated
from h2.settings import SettingCodes

from infrastructure.event_store.http2.framing import prefixed

STREAM = 1
ANSWER = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]


class Peer:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 100})
        self.h2.initiate_connection()
        self.headers: dict[str, str] = {}
        self.events: list[Any] = []
        self.pings = 0
        self.blocked = asyncio.Event()
        self._reader = reader
        self._writer = writer

    async def request(self) -> Any:
        """Waits for the whole request."""
        body = b""
        self._flush()
        while True:
            for happened in await self.receive():
                if isinstance(happened, RequestReceived):
                    self.headers = dict(happened.headers)
                elif isinstance(happened, DataReceived):
                    body += happened.data
                    if happened.stream_ended:
                        return streams_pb2.ReadReq.FromString(body[5:])

    async def receive(self) -> list[Any]:
        """What the client says next. Raises ConnectionError when it has gone."""
        data = await self._reader.read(65_536)
        if not data:
            raise ConnectionResetError
        events = self.h2.receive_data(data)
        self.events += events
        self.pings += sum(isinstance(one, PingReceived) for one in events)
        self._flush()
        return events

    def answer(self, headers: list[tuple[str, str]] = ANSWER, *, end: bool = False) -> None:
        self.h2.send_headers(STREAM, headers, end_stream=end)
        self._flush()

    def message(self, message: bytes) -> None:
        """A whole message in a DATA frame, as gRPC sends it."""
        self.data(prefixed(message))

    def data(self, data: bytes, *, padding: int | None = None, end: bool = False) -> None:
        self.h2.send_data(STREAM, data, end_stream=end, pad_length=padding)
        self._flush()

    async def patiently(self, data: bytes) -> None:
        """Data of any size, as fast as the client's windows allow."""
        while data:
            room = min(self.h2.local_flow_control_window(STREAM), self.h2.max_outbound_frame_size)
            if not room:
                self.blocked.set()
                await self._until(WindowUpdated)
                continue
            self.data(data[:room])
            data = data[room:]
            await self._writer.drain()

    async def messages(self, *messages: bytes) -> None:
        for message in messages:
            await self.patiently(prefixed(message))

    def trailers(self, trailers: list[tuple[str, str]] = OK) -> None:
        self.h2.send_headers(STREAM, trailers, end_stream=True)
        self._flush()

    def raw(self, data: bytes) -> None:
        """Bytes as they are, right or wrong."""
        self._flush()
        self._writer.write(data)

    def frame(self, kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = STREAM) -> None:
        self.raw(len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload)

    def flush(self) -> None:
        self._flush()

    async def until_cancelled(self) -> None:
        """Waits until the client resets the call or is gone."""
        with suppress(ConnectionError):
            await self._until(StreamReset)

    async def _until(self, kind: type) -> None:
        while not any(isinstance(one, kind) for one in await self.receive()):
            pass

    def _flush(self) -> None:
        self._writer.write(self.h2.data_to_send())


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    """Runs the script for every connection, then closes it; answers the connection string."""
    failures: list[Exception] = []
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(Peer(reader, writer))
            with suppress(ConnectionError):
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        except Exception as error:
            failures.append(error)
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, family=socket.AF_INET)
    try:
        yield f"esdb://127.0.0.1:{server.sockets[0].getsockname()[1]}?Tls=false"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert not failures, failures
