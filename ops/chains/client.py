"""The chain of an order's contract, asked of the process manager."""

import asyncio
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from msgspec import Struct

from infrastructure.http.client import ServiceClient
from ops.errors import CommandFailed
from ops.locations import Address
from ops.projector_client import RETRY_TIMEOUT, ProjectorClient

CHOREOGRAPHY = "order_contract"
_AWAY = "`eventfold up` starts it, `eventfold status` shows what runs; --process-manager URL names another one"
_HINTS = {404: "an order has a contract once it is confirmed"}
_ATTEMPT_TIMEOUT = 15.0


class ChainEvent(Struct, frozen=True):
    """One event; `cause` is the number of the one that it follows from."""

    number: int
    type: str
    stream: str
    revision: int
    recorded_at: int
    facts: dict[str, Any]
    cause: int | None = None
    actor: str | None = None
    correlation_id: str | None = None
    error: str | None = None


class AwaitedStep(Struct, frozen=True):
    """`what` is to come after the event number `after`, from `by`, at the latest at `until`."""

    what: str
    by: str
    after: int
    until: datetime | None = None


class ChainDetails(Struct, frozen=True):
    """The process manager's answer about a chain, as far as it is shown."""

    instance: str
    correlation_id: str
    events: list[ChainEvent]
    awaited: list[AwaitedStep]
    incomplete: list[str]
    deleted: list[str]


async def read_chain(service: ProjectorClient, order: str) -> tuple[ChainDetails, bytes]:
    """Decoded, and the JSON as it came. Raises CommandFailed."""
    path = f"/choreographies/{CHOREOGRAPHY}/instances/{quote(order, safe='')}"
    return await service.get(path, ChainDetails, _HINTS)


async def chain_if_any(service: ProjectorClient, order: str) -> ChainDetails | None:
    """None where the order has none, and where the process manager knows of no such chains. Raises CommandFailed."""
    try:
        return (await read_chain(service, order))[0]
    except CommandFailed as error:
        if error.hint == _HINTS[404]:
            return None
        raise


def chain_of_order(address: Address, order: str) -> tuple[ChainDetails, bytes]:
    """As read_chain, of the process manager at the address."""

    async def requested() -> tuple[ChainDetails, bytes]:
        async with aiohttp.ClientSession() as session:
            client = ServiceClient(address.url, session, RETRY_TIMEOUT, _ATTEMPT_TIMEOUT, tokens=address.tokens)
            return await read_chain(ProjectorClient(client, "process manager", _AWAY), order)

    return asyncio.run(requested())
