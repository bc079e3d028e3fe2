"""Waits until every order has come to its end, and nothing more follows from it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from infrastructure.http.client import ServiceClient
from ops.errors import CommandFailed

_PAUSE = 0.25
# What is not over yet, by the view that shows it.
_UNDER_WAY = {
    "/orders": ("pending",),
    "/fulfilments": ("reserving", "charging", "confirming", "undoing"),
    "/payments": ("requested", "settling", "refunding"),
    "/contracts": ("requested", "rendered", "signed"),
    "/notifications": ("requested",),
}


@dataclass(frozen=True, slots=True)
class Settled:
    """The log's last position when nothing followed any more, and how many seconds after the load that was."""

    position: int
    seconds: float


async def until_settled(
    query_api: ServiceClient, projector: ServiceClient, position: int, *, seconds: float, meanwhile: Callable[[], bool]
) -> Settled:
    """Waits until nothing of _UNDER_WAY is left, and the log has stopped growing. `position` is one that the views must
    have reached first; `meanwhile` is called again and again, and says whether it is to be called once more.

    Raises:
        CommandFailed: something is still under way after `seconds`.
    """
    started, last = time.monotonic(), -1
    while True:
        goes_on = meanwhile()
        end, behind = await _progress(projector)
        left = behind or await _under_way(query_api, max(position, end))
        if left is None and end == last and not goes_on:
            return Settled(end, time.monotonic() - started)
        last = end
        if time.monotonic() > started + seconds:
            what = left or ("services to be killed" if goes_on else "new events")
            raise CommandFailed(f"after {seconds:.0f} s there are still {what}", "see the logs")
        await asyncio.sleep(_PAUSE)


async def _progress(projector: ServiceClient) -> tuple[int, str | None]:
    """The log's last position, and which consumer has yet to come there."""
    status = (await projector.get("/status")).json()
    behind = [one["name"] for one in status["consumers"] if one["lag_events"] != 0]
    return int(status["event_store"]["position"] or -1), f"events for {', '.join(behind)}" if behind else None


async def _under_way(query_api: ServiceClient, position: int) -> str | None:
    for path, statuses in _UNDER_WAY.items():
        for status in statuses:
            answer = await query_api.get(path, status=status, limit="1", at_least=str(position))
            if answer.status != 200:
                raise CommandFailed(f"GET {path}?status={status}: {answer.status} {answer.body[:200]!r}", "")
            if answer.json()["items"]:
                return f"{path.strip('/')} that are {status}"
    return None
