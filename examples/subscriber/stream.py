"""A reader of server-sent events, which goes on where it was when the connection is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

import aiohttp

from infrastructure.integration.cloud_event import CloudEvent, from_structured
from infrastructure.security.own_tokens import NoToken, TokenSource

_PAUSE = 0.2
_LONGEST_LINE = 2**20
"""An event is one line."""


class StreamReader:
    """Of `GET /events` at `url`, from the log's first event on. `taken` is all that came, in its order: what came
    between the last id and the loss of a connection is there twice. `connections` counts those that were opened."""

    def __init__(self, url: str, session: aiohttp.ClientSession, tokens: TokenSource | None = None) -> None:
        self.taken: list[CloudEvent] = []
        self.unreadable: list[str] = []
        self.connections = 0
        self._url = url
        self._session = session
        self._tokens = tokens or NoToken()
        self._last_id = ""
        self._ids: set[str] = set()
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Reads until it is cancelled, whatever becomes of the relay meanwhile."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                await self._read()
            await asyncio.sleep(_PAUSE)

    async def has_taken(self, ids: Collection[str]) -> None:
        """Waits until events of all these ids have come."""
        while not self._ids.issuperset(ids):
            self._came.clear()
            await self._came.wait()

    async def _read(self) -> None:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        if (token := self._tokens.token()) is not None:
            headers["Authorization"] = f"Bearer {token}"
        # The relay tells every 15 seconds that it is there.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        async with self._session.get(
            self._url, params={"from": "start"}, headers=headers, timeout=timeout, read_bufsize=_LONGEST_LINE
        ) as response:
            if response.status != 200:
                return
            self.connections += 1
            async for block in _blocks(response):
                self._take(block)

    def _take(self, block: dict[str, str]) -> None:
        if block.get("event") == "unreadable":
            self.unreadable.append(block["data"])
        elif "data" in block:
            self.taken.append(from_structured(block["data"].encode()))
            self._ids.add(self.taken[-1].id)
            self._came.set()
        self._last_id = block.get("id", self._last_id)


async def _blocks(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    """What stands between empty lines, by field."""
    block: dict[str, str] = {}
    while line := (await response.content.readuntil(b"\n")).decode():
        if not line.endswith("\n"):
            return  # cut off
        name, _, value = line.rstrip("\n").partition(":")
        if name:
            block[name] = value.removeprefix(" ")
        elif line == "\n" and block:
            yield block
            block = {}
