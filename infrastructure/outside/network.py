"""Requests over the network, by aiohttp."""

from collections.abc import Callable, Mapping
from socket import socket
from typing import Any

import aiohttp
from yarl import URL

from infrastructure.outside.transport import Received, one_line, too_large
from infrastructure.resilience import Limits, TransientFault


class Network:
    """Connections are opened at the first request, at most as many as the `limits` let run. `socket_factory` makes the
    socket for an address that was found, or raises OSError."""

    def __init__(self, limits: Limits, socket_factory: Callable[[Any], socket] | None = None) -> None:
        self._limits = limits
        self._socket_factory = socket_factory
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: URL, body: bytes | None, headers: Mapping[str, str], *, max_body: int
    ) -> Received:
        """As Transport says: what is larger than `max_body` is not even read."""
        what = f"{method} {url.path}"
        try:
            async with self._opened().request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                pieces, size = [], 0
                async for piece in response.content.iter_any():
                    size += len(piece)
                    if size > max_body:
                        response.close()
                        raise too_large(method, url, response.status, max_body)
                    pieces.append(piece)
                return Received(response.status, response.headers, b"".join(pieces))
        except aiohttp.ClientConnectorError as error:
            raise TransientFault(f"{what}: {error}", sent=False) from error
        except aiohttp.ClientPayloadError as error:
            raise TransientFault(f"{what}: the response was cut off: {one_line(str(error))}") from error
        except aiohttp.ServerDisconnectedError as error:
            raise TransientFault(f"{what}: the connection ended before there was a response") from error
        except aiohttp.ClientResponseError as error:
            raise TransientFault(f"{what}: what came is not HTTP: {one_line(error.message)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientFault(f"{what}: {one_line(str(error)) or type(error).__name__}") from error

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The policy's timeout bounds each attempt. Cookies would make one request depend on another.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._limits.concurrency, socket_factory=self._socket_factory),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.timeout),
                auto_decompress=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._session
