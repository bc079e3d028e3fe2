"""A call on a connection: the exchange with sockets, timers and a waiting reader around it."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Self, cast

from infrastructure.event_store.http2.exchange import Exchange
from infrastructure.event_store.http2.keep_alive import KeepAlive
from infrastructure.event_store.http2.status import unavailable
from infrastructure.event_store.http2.target import Target
from infrastructure.event_store.http2.window import WINDOW_BYTES

_CONNECT_SECONDS = 10.0
# A server that makes us respond (to pings, settings) but does not read the responses must not fill the memory.
_MAX_UNSENT_BYTES = 1024 * 1024
# While no message is needed at once, the socket is read again only so many seconds after it gave little: to wake up
# the event loop costs more than to handle the event.
_PAUSE = 0.002
_LITTLE_BYTES = 64 * 1024


class ReadCall(asyncio.Protocol):
    """The messages of one server-streaming call, each item all that has come since the last one.

    Iterating raises CallFailed, after the last message, when the call ends with another status than OK or the
    connection is lost. `low_latency` says whether each message is needed at once, or messages may be collected for two
    milliseconds.
    """

    def __init__(self, exchange: Exchange, target: Target, low_latency: Callable[[], bool]) -> None:
        self._exchange = exchange
        self._low_latency = low_latency
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._keep_alive = KeepAlive(target.keep_alive, self._ping, self._on_silence)

    @classmethod
    async def open(
        cls, target: Target, request: bytes, low_latency: Callable[[], bool], window: int = WINDOW_BYTES
    ) -> Self:
        """Connects and sends the request; the server sends at most `window` bytes ahead.

        Raises CallFailed when there is no connection."""
        call = cls(Exchange(target.headers, request, window), target, low_latency)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: call,
                    target.host,
                    target.port,
                    ssl=target.tls(),
                    server_hostname=target.host if target.is_secure else None,
                )
        except TimeoutError:
            raise unavailable(f"{target.authority}: no connection within {_CONNECT_SECONDS:g} s") from None
        except (OSError, ValueError) as error:  # ValueError: malformed certificates or host name
            raise unavailable(f"{target.authority}: {error}") from error
        return call

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[bytes]:
        while not self._exchange.has_messages:
            if self._exchange.failure is not None:
                raise self._exchange.failure
            if self._exchange.is_over:
                raise StopAsyncIteration
            # The beginning of a message that is larger than the window may have filled it while nobody waited.
            self._exchange.take()
            self._send()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        messages = self._exchange.take()
        self._send()
        return messages

    def cancel(self) -> None:
        """Ends the call; a caller that waits for messages gets CallFailed."""
        self._exchange.cancel()
        self._close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        secured = transport.get_extra_info("ssl_object")
        if isinstance(secured, ssl.SSLObject) and secured.selected_alpn_protocol() != "h2":
            self._lost("the server does not agree to HTTP/2 in TLS (ALPN)")
            return
        self._send()
        self._keep_alive.start()

    def data_received(self, data: bytes) -> None:
        self._keep_alive.note_activity()
        self._exchange.receive(data)
        if self._exchange.is_over:
            self._close()
            return
        waiter = self._waiter
        if waiter is not None:
            if not self._exchange.has_messages:
                # The rest of a message larger than the window is let in only now, because a caller waits for it.
                self._exchange.take()
            elif not waiter.done():
                waiter.set_result(None)
        self._send()
        if len(data) < _LITTLE_BYTES and not self._low_latency():
            self._pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._exchange.lost(str(error or "the server closed the connection"))
        self._close()

    def _pause_reading(self) -> None:
        if self._transport is not None and self._pause is None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._pause = asyncio.get_running_loop().call_later(_PAUSE, self._resume_reading)

    def _resume_reading(self) -> None:
        self._pause = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _ping(self) -> None:
        self._exchange.ping()
        self._send()

    def _on_silence(self) -> None:
        self._lost("the server did not answer a keep-alive ping")

    def _lost(self, why: str) -> None:
        self._exchange.lost(why)
        self._close(at_once=True)

    def _send(self) -> None:
        outgoing = self._exchange.outgoing()
        if outgoing and self._transport is not None and not self._transport.is_closing():
            self._transport.write(outgoing)
            if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
                self._lost("the server does not read what it asked for")

    def _close(self, *, at_once: bool = False) -> None:
        self._keep_alive.stop()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._transport is not None:
            if not at_once:
                self._send()
            transport, self._transport = self._transport, None
            transport.abort() if at_once else transport.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
