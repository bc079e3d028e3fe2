"""Requests to an application in the same process: no socket, and all else as if they had come by one."""

import asyncio
from collections.abc import Mapping
from contextvars import Context
from typing import Any
from urllib.parse import unquote

from litestar.types import ASGIApp
from multidict import CIMultiDict
from yarl import URL

from infrastructure.outside.transport import Received, too_large
from infrastructure.resilience import TransientFault

_HERE = ("127.0.0.1", 0)
_OWN_HEADERS = {"Host": "in-process", "Accept": "application/json", "Accept-Encoding": "identity"}


class InProcess:
    """Asks `app`, whose lifespan is somebody else's.

    A request is answered in a task and a context of its own: what is bound there (correlation ids, spans) does not mix
    with the caller's, and a caller that gives up leaves the request to its end, as one who hangs up does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: set[asyncio.Task[None]] = set()

    async def send(
        self, method: str, url: URL, body: bytes | None, headers: Mapping[str, str], *, max_body: int
    ) -> Received:
        """As Transport says: the body was made already, and is refused all the same where it is larger."""
        exchange = _Exchange(body or b"")
        answering: Any = self._app(_scope(method, url, headers, len(body or b"")), exchange.receive, exchange.send)
        task = asyncio.create_task(answering, context=Context())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            exchange.given_up.set()
            raise
        except Exception as error:
            raise TransientFault(f"{method} {url.path}: the request failed: {type(error).__name__}") from error
        if exchange.status is None or not exchange.is_complete:
            raise TransientFault(f"{method} {url.path}: the connection ended before there was a response")
        content = b"".join(exchange.pieces)
        if len(content) > max_body:
            raise too_large(method, url, exchange.status, max_body)
        return Received(exchange.status, exchange.headers, content)

    async def close(self) -> None:
        """Waits for the requests that were left by their callers."""
        await asyncio.gather(*self._under_way, return_exceptions=True)


class _Exchange:
    """One request, and what has come of its response."""

    def __init__(self, body: bytes) -> None:
        self.given_up = asyncio.Event()
        self.status: int | None = None
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.pieces: list[bytes] = []
        self.is_complete = False
        self._body: bytes | None = body

    async def receive(self) -> Any:
        if self._body is None:
            await self.given_up.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers.extend((name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"])
        elif message["type"] == "http.response.body":
            self.pieces.append(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)


def _scope(method: str, url: URL, headers: Mapping[str, str], size: int) -> Any:
    sent = {**_OWN_HEADERS, **headers, "Content-Length": str(size)}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(url.raw_path),
        "raw_path": url.raw_path.encode("ascii"),
        "query_string": url.raw_query_string.encode("ascii"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
        "client": _HERE,
        "server": _HERE,
        "state": {},
        "extensions": {},
    }
