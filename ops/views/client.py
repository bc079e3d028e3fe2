"""The projector's HTTP surface for views."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

from ops.locations import Address
from ops.projector_client import ProjectorClient, open_projector
from ops.views.responses import Status, View

T = TypeVar("T")

UNKNOWN_VIEW = {404: "`eventfold views list` names the views"}
NO_VIEWS = {404: "is that a projector's URL, and one of this release? `eventfold status` shows where the projector is"}


class ViewsClient:
    """Every method raises CommandFailed, as ProjectorClient does."""

    def __init__(self, projector: ProjectorClient) -> None:
        self._projector = projector

    async def all(self) -> tuple[Status, bytes]:
        """Every view; decoded, and the JSON as it came."""
        return await self._projector.get("/views", Status, NO_VIEWS)

    async def one(self, name: str) -> tuple[View, bytes]:
        """One view; decoded, and the JSON as it came."""
        return await self._projector.get(_path(name), View, UNKNOWN_VIEW)

    async def rebuild(self, name: str) -> None:
        """Begins to build the view anew."""
        under_way = f"`eventfold views show {name}` shows it, `eventfold views cancel {name}` ends it"
        await self._projector.send("POST", f"{_path(name)}/rebuild", UNKNOWN_VIEW | {409: under_way})

    async def cancel(self, name: str) -> None:
        """Gives up the build under way."""
        await self._projector.send("DELETE", f"{_path(name)}/rebuild", UNKNOWN_VIEW)

    async def switch_back(self, name: str) -> None:
        """Begins to switch back to the previous build."""
        hint = f"`eventfold views show {name}` shows what there is"
        await self._projector.send("POST", f"{_path(name)}/switch-back", UNKNOWN_VIEW | {409: hint})

    async def drop_previous(self, name: str) -> None:
        """Removes the previous build."""
        await self._projector.send("DELETE", f"{_path(name)}/previous", UNKNOWN_VIEW)

    async def divide(self, name: str, partitions: int) -> None:
        """Divides the view into that many partitions."""
        body = {"partitions": partitions}
        await self._projector.send("PUT", f"{_path(name)}/partitions", UNKNOWN_VIEW, json=body)


def with_views(address: Address, request: Callable[[ViewsClient], Awaitable[T]]) -> T:
    """What `request` returns, given a client of the projector at the address.

    Raises:
        CommandFailed: the projector refuses or gives no answer.
    """

    async def requested() -> T:
        async with open_projector(address) as projector:
            return await request(ViewsClient(projector))

    return asyncio.run(requested())


def _path(name: str) -> str:
    return f"/views/{quote(name, safe='')}"
