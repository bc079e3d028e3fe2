"""The process manager's HTTP surface for instances."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from infrastructure.http.client import ServiceClient
from ops.chains.client import ChainDetails, chain_if_any
from ops.errors import CommandFailed
from ops.locations import Address
from ops.projector_client import RETRY_TIMEOUT, ProjectorClient
from ops.sagas.responses import Changed, Details, Page, Processes

T = TypeVar("T")

_AWAY = "`eventfold up` starts it, `eventfold status` shows what runs; --process-manager URL names another one"
_HINTS = {
    404: "`eventfold sagas list` names the instances",
    409: "`eventfold sagas list --stuck` names those that wait for an operator",
}
_LARGEST_PAGE = 500
_ATTEMPT_TIMEOUT = 15.0


class SagasClient:
    """Every method raises CommandFailed, as ProjectorClient does."""

    def __init__(self, service: ProjectorClient) -> None:
        self._service = service

    async def process(self, chosen: str | None) -> str:
        """The process that is meant: the one chosen, else the only one."""
        if chosen:
            return chosen
        found, _ = await self._service.get("/processes", Processes)
        names = [one.process for one in found.processes]
        if len(names) != 1:
            raise CommandFailed(f"there are the processes {', '.join(names)}", "choose one with --process")
        return names[0]

    async def list(self, process: str, limit: int, status: str | None) -> Page:
        """The newest `limit` instances, read page by page."""
        where = {} if status is None else {"status": status}
        found = Page()
        while True:
            wanted = min(_LARGEST_PAGE, limit - len(found.instances))
            before = {} if found.next is None else {"before": str(found.next)}
            path = f"/processes/{quote(process, safe='')}/instances"
            page, _ = await self._service.get(path, Page, _HINTS, limit=str(wanted), **where, **before)
            found = Page([*found.instances, *page.instances], page.next)
            if page.next is None or len(found.instances) >= limit:
                return found

    async def one(self, process: str, instance: str) -> tuple[Details, bytes]:
        """One of them; decoded, and the JSON as it came."""
        return await self._service.get(_path(process, instance), Details, _HINTS)

    async def contract(self, order: str) -> ChainDetails | None:
        """The chain of the order's contract; None where there is none."""
        return await chain_if_any(self._service, order)

    async def retry(self, process: str, instance: str, step: str | None) -> Changed:
        """Has its failed steps tried again."""
        return await self._service.post(f"{_path(process, instance)}/retry", _body(step), Changed, _HINTS)

    async def resolve(self, process: str, instance: str, reason: str, step: str | None) -> Changed:
        """Takes its failed steps as done."""
        body = {"reason": reason, **_body(step)}
        return await self._service.post(f"{_path(process, instance)}/resolve", body, Changed, _HINTS)


def _path(process: str, instance: str) -> str:
    return f"/processes/{quote(process, safe='')}/instances/{quote(instance, safe='')}"


def _body(step: str | None) -> dict[str, Any]:
    return {} if step is None else {"step": step}


def with_sagas(address: Address, request: Callable[[SagasClient], Awaitable[T]]) -> T:
    """What `request` returns, given a client of the process manager at the address.

    Raises:
        CommandFailed: the process manager refuses or gives no answer.
    """

    async def requested() -> T:
        async with aiohttp.ClientSession() as session:
            client = ServiceClient(address.url, session, RETRY_TIMEOUT, _ATTEMPT_TIMEOUT, tokens=address.tokens)
            return await request(SagasClient(ProjectorClient(client, "process manager", _AWAY)))

    return asyncio.run(requested())
