"""The event relay's HTTP surface for destinations."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from msgspec import Struct

from infrastructure.http.client import ServiceClient
from ops.locations import Address
from ops.projector_client import RETRY_TIMEOUT, ProjectorClient

T = TypeVar("T")

_AWAY = "`eventfold up` starts it; --event-relay URL names another one"
_HINTS = {404: "`eventfold relay list` names the destinations"}
_ATTEMPT_TIMEOUT = 15.0


class ConsumerStatus(Struct):
    """How far a destination is."""

    position: int | None
    lag_events: int | None
    parked: int
    state: str
    trouble: str | None = None


class DestinationStatus(Struct):
    """A destination, as the relay tells of it."""

    name: str
    kind: str | None
    types: list[str]
    paused: bool
    consumer: ConsumerStatus | None
    configured: bool = True


class _Destinations(Struct):
    destinations: list[DestinationStatus]


def list_destinations(address: Address) -> tuple[list[DestinationStatus], bytes]:
    """All of them; decoded, and the JSON as it came. Raises CommandFailed."""
    found, told = _asked(address, lambda relay: relay.get("/destinations", _Destinations))
    return found.destinations, told


def change_destination(address: Address, name: str, action: str, body: dict[str, Any] | None) -> None:
    """Asks for `pause`, `resume` or `replay`. Raises CommandFailed."""
    path = f"/destinations/{quote(name, safe='')}/{action}"
    _asked(address, lambda relay: relay.send("POST", path, _HINTS, json=body))


def remove_destination(address: Address, name: str) -> None:
    """Has all that is kept of a destination removed. Raises CommandFailed."""
    hints = _HINTS | {409: "take it out of the file of destinations, and start the relay anew"}
    _asked(address, lambda relay: relay.send("DELETE", f"/destinations/{quote(name, safe='')}", hints))


def _asked(address: Address, request: Callable[[ProjectorClient], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with aiohttp.ClientSession() as session:
            client = ServiceClient(address.url, session, RETRY_TIMEOUT, _ATTEMPT_TIMEOUT, tokens=address.tokens)
            return await request(ProjectorClient(client, "event relay", _AWAY))

    return asyncio.run(asked())
