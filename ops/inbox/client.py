"""The inbound service's HTTP surface."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from msgspec import Struct

from infrastructure.http.client import ServiceClient
from ops.dead_letters.client import DeadLettersClient
from ops.locations import Address
from ops.projector_client import RETRY_TIMEOUT, ProjectorClient

T = TypeVar("T")

_AWAY = "`eventfold up` starts it where EVENTFOLD_INBOUND_SOURCES is set; --inbound URL names another one"
_HINTS = {404: "`eventfold inbox sources` names the sources"}
_ATTEMPT_TIMEOUT = 15.0
_LONG_TIMEOUT = 120.0


class SourceStatus(Struct, frozen=True):
    """A source, as the service tells of it. Every field may be missing: it may be of another release."""

    name: str = "-"
    kind: str = "-"
    consumer: str = "-"
    types: list[str] = []
    dead_letters: str = "-"
    behind: str = "-"
    lag: int | None = None
    parked: int | None = None
    trouble: str | None = None


class MessageStatus(Struct, frozen=True):
    """What came of a message."""

    source: str = "-"
    message: str = "-"
    event_source: str = "-"
    event_id: str = "-"
    event_type: str = "-"
    key: str = ""
    state: str = "-"
    position: int | None = None
    error_class: str = ""
    code: str = ""
    reason: str = ""
    by: str = ""
    at: int | None = None


class Sources(Struct):
    """The answer to GET /sources."""

    sources: list[SourceStatus]


def list_sources(address: Address) -> tuple[list[SourceStatus], bytes]:
    """All of them; decoded, and the JSON as it came. Raises CommandFailed."""
    found, told = _asked(address, lambda inbound: inbound.get("/sources", Sources))
    return found.sources, told


def message_of(address: Address, consumer: str, source: str, event_id: str) -> tuple[MessageStatus, bytes]:
    """What came of one message; decoded, and as it came. Raises CommandFailed."""
    return _asked(
        address,
        lambda inbound: inbound.get("/messages", MessageStatus, _HINTS, consumer=consumer, source=source, id=event_id),
    )


def with_dead_letters(
    address: Address, request: Callable[[DeadLettersClient], Awaitable[T]], *, replays: bool = False
) -> T:
    """What `request` returns; `replays` says that it may take long. Raises CommandFailed."""

    async def requested() -> T:
        async with _client(address, _LONG_TIMEOUT if replays else _ATTEMPT_TIMEOUT) as client:
            return await request(DeadLettersClient(client))

    return asyncio.run(requested())


def _asked(address: Address, request: Callable[[ProjectorClient], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with _client(address, _ATTEMPT_TIMEOUT) as client:
            return await request(client)

    return asyncio.run(asked())


@asynccontextmanager
async def _client(address: Address, timeout: float) -> AsyncIterator[ProjectorClient]:
    async with aiohttp.ClientSession() as session:
        client = ServiceClient(address.url, session, max(RETRY_TIMEOUT, timeout), timeout, tokens=address.tokens)
        yield ProjectorClient(client, "inbound service", _AWAY)
