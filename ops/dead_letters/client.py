"""The projector's HTTP surface for dead letters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from ops.dead_letters.responses import DeadLetter, Group, GroupPage, History, Outcome, Page, Portion
from ops.locations import Address
from ops.projector_client import ProjectorClient, open_projector

T = TypeVar("T")

REPLAY_TIMEOUT = 120.0
"""Seconds that a retry or a discard may take: it is answered once the events have been replayed."""

_LARGEST_PAGE = 500
_HINTS = {404: "`eventfold dead-letters list` names the dead letters, `eventfold status` the consumers"}


class DeadLettersClient:
    """Every method raises CommandFailed, as ProjectorClient does."""

    def __init__(self, projector: ProjectorClient) -> None:
        self._projector = projector

    async def list(
        self, limit: int, consumer: str | None = None, key: str | None = None, group: str | None = None
    ) -> Page:
        """The oldest `limit` of a consumer, of a key and of a group (or of all), read page by page."""
        given = (("consumer", consumer), ("key", key), ("group", group))
        where = {name: value for name, value in given if value is not None}
        found = Page()
        while True:
            wanted = min(_LARGEST_PAGE, limit - len(found.dead_letters))
            after = {} if found.next is None else {"after": str(found.next)}
            page, _ = await self._projector.get("/dead-letters", Page, _HINTS, limit=str(wanted), **where, **after)
            found = Page([*found.dead_letters, *page.dead_letters], page.next)
            if page.next is None or not page.dead_letters or len(found.dead_letters) >= limit:
                return found

    async def one(self, consumer: str, position: int) -> tuple[DeadLetter, bytes]:
        """One of them; decoded, and the JSON as it came."""
        return await self._projector.get(f"/dead-letters/{quote(consumer, safe='')}/{position}", DeadLetter, _HINTS)

    async def groups(self, consumer: str | None = None, group: str | None = None) -> Sequence[Group]:
        """All groups of a consumer (or of all), or those of one fingerprint; the largest first."""
        where = {name: value for name, value in (("consumer", consumer), ("group", group)) if value is not None}
        found: Sequence[Group] = ()
        after: dict[str, str] = {}
        while True:
            page, _ = await self._projector.get("/dead-letters/groups", GroupPage, _HINTS, **where, **after)
            found = (*found, *page.groups)
            if page.next is None:
                return sorted(found, key=lambda one: (-one.count, one.consumer, one.group))
            after = {"after": page.next}

    async def history(self, limit: int, consumer: str | None = None) -> History:
        """What was done last, for a consumer or for all."""
        where = {} if consumer is None else {"consumer": consumer}
        page, _ = await self._projector.get("/dead-letters/history", History, _HINTS, limit=str(limit), **where)
        return page

    async def retry(self, consumer: str, key: str | None, reason: str = "") -> Outcome:
        """Replays those of a key, or all of the consumer's, in order."""
        body = {"consumer": consumer} | ({} if key is None else {"key": key}) | ({"reason": reason} if reason else {})
        return await self._projector.post("/dead-letters/retry", body, Outcome, _HINTS)

    async def discard(self, consumer: str, position: int, reason: str) -> Outcome:
        """Makes the consumer leave an event out for good, and replays what stood behind it."""
        body = {"consumer": consumer, "position": position, "reason": reason}
        return await self._projector.post("/dead-letters/discard", body, Outcome, _HINTS)

    async def portions(self, action: str, consumer: str, group: str, reason: str) -> AsyncIterator[Portion]:
        """Retries or discards a group, portion by portion: each is done when it comes."""
        body: dict[str, Any] = {"consumer": consumer, "group": group} | ({"reason": reason} if reason else {})
        while True:
            portion = await self._projector.post(f"/dead-letters/groups/{action}", body, Portion, _HINTS)
            yield portion
            if portion.next is None:
                return
            body = {**body, "after": portion.next, "asked_at": portion.asked_at}


def with_dead_letters(
    address: Address, request: Callable[[DeadLettersClient], Awaitable[T]], *, replays: bool = False
) -> T:
    """What `request` returns, given a client of the projector at the address; `replays` says that it may take long.

    Raises:
        CommandFailed: the projector refuses or gives no answer.
    """

    async def requested() -> T:
        async with open_projector(address) as projector:
            client = DeadLettersClient(projector)
            if not replays:
                return await request(client)
            await client.list(1)  # fails soon where there is no projector, before the long timeout is used
        async with open_projector(address, retry_timeout=REPLAY_TIMEOUT, attempt_timeout=REPLAY_TIMEOUT) as projector:
            return await request(DeadLettersClient(projector))

    return asyncio.run(requested())


def page_as_json(page: Page) -> str:
    """A page as JSON, with the projector's field names."""
    return msgspec.json.encode(page).decode()
