"""Conditions that say a server is ready: each returns when it is and raises `NotReady` with the reason when not."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

Readiness = Callable[[], Awaitable[None]]

PROBE_TIMEOUT = 2.0
POLL_INTERVAL = 0.05

# RFC 9113, 3.4: what a client sends first (an empty SETTINGS frame), and the type of the first frame from the server.
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS_FRAME = 4


class NotReady(Exception):
    """The server does not answer yet, or says that something it needs is missing."""


async def http_ready(url: str, timeout: float = PROBE_TIMEOUT) -> None:
    """Ready when a GET of the URL answers 200 within `timeout` seconds."""
    total = aiohttp.ClientTimeout(total=timeout)
    try:
        async with aiohttp.ClientSession(timeout=total) as session, session.get(url) as response:
            if response.status != 200:
                raise NotReady(f"{url} answers {response.status}: {(await response.text())[:300]}")
    except aiohttp.ClientConnectorError as error:
        raise NotReady(f"{url}: nothing listens there") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotReady(f"{url} does not answer: {str(error) or type(error).__name__}") from error


async def tcp_ready(host: str, port: int) -> None:
    """Ready when the port accepts a connection."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError) as error:
        raise NotReady(f"{host}:{port} does not accept connections") from error
    writer.close()


async def grpc_ready(host: str, port: int) -> None:
    """Ready when the port answers an HTTP/2 client as every gRPC server does, with its SETTINGS frame."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_HTTP2_PREFACE)
                frame_header = await reader.readexactly(9)
            finally:
                writer.close()
    except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        raise NotReady(f"{host}:{port} does not answer gRPC") from error
    if frame_header[3] != _SETTINGS_FRAME:
        raise NotReady(f"{host}:{port} is not a gRPC server")


def _ignore_reason(_: NotReady) -> None:
    pass


async def until_ready(ready: Readiness, on_not_ready: Callable[[NotReady], None] = _ignore_reason) -> None:
    """Ask again and again until the condition holds; bound the wait with `asyncio.timeout` around it."""
    while True:
        try:
            return await ready()
        except NotReady as reason:
            on_not_ready(reason)
            await asyncio.sleep(POLL_INTERVAL)
