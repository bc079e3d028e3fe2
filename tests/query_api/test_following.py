"""Builds switched under the query API: nothing fails, nothing is missing, nothing older comes after something newer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any

import pytest

from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from infrastructure.view_registry import Build
from infrastructure.view_registry.transitions import paused, repartitioned
from query_api.following.live_builds import MAX_AGE
from read_models.model.view import View
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.read_store import ReadStoreDatabase
from tests.support.served import Client, Reply, served
from tests.support.services import until
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY

MARKS = ("first", "second", "third", "fourth")
"""The status of every document of the first build, the second, ..., so that an answer tells where it is from."""


class Projected:
    """A log that the live build follows, and a new build now and then; each is marked by its number."""

    def __init__(self, shelf: TinyShelf) -> None:
        self.shelf = shelf
        self.position = 0
        self.switched_after: list[int] = [0]
        self.served = (1, 0.0)  # the number of the live builds, and since when (monotonic)

    async def fold(self, position: int, build_of: Callable[[View], Build]) -> None:
        """One event: a lamp and a day more, and changes of those that are there."""
        lamps, days = build_of(LAMP_DETAILS), build_of(PARCEL_DAYS)
        mark = MARKS[lamps.number - 1]
        await self.shelf.lamp("l-1", position, installed_position=1, status=mark, build=lamps)
        if position > 1:
            await self.shelf.lamp(f"l-{position}", position, status=mark, build=lamps)
            await self.shelf.day(20260300 + position, position, days)
        await self.shelf.day(20260301, position, days)
        for view in TINY.views:
            await self.shelf.checkpoint(view, position, build=build_of(view))

    async def go_on(self, events: int) -> None:
        """More events, folded into the live builds."""
        for position in range(self.position + 1, self.position + events + 1):
            await self.fold(position, self.shelf.live)
            self.position = position

    async def rebuild(self) -> None:
        """Builds every view anew, beside the live build, and switches once it is there."""
        builds = {view.name: await self.shelf.rebuild(view) for view in TINY.views}
        for position in range(1, self.position + 1):
            await self.fold(position, lambda view: builds[view.name])
        for view in TINY.views:
            await self.shelf.save(paused(self.shelf.records[view.name]))
        self.switched_after.append(self.position)
        for view in TINY.views:
            await self.shelf.switch(view)
        self.served = (len(self.switched_after), monotonic())


@pytest.fixture
async def projected(shelf: TinyShelf) -> Projected:
    """Every view at position 3."""
    projected = Projected(shelf)
    await projected.go_on(3)
    return projected


def at(reply: Reply) -> int:
    """The position that an answer tells."""
    return int(reply.headers["eventfold-position"])


def lamp(reply: Reply) -> tuple[int, str]:
    return at(reply), reply.json["status"]


def lamps(reply: Reply) -> tuple[int, str]:
    rows = reply.json["items"]
    assert [row["installed_position"] for row in rows] == list(range(at(reply), 0, -1)), "all of them, up to there"
    (mark,) = {row["status"] for row in rows}
    return at(reply), mark


def day(reply: Reply) -> tuple[int, None]:
    return at(reply), None


def days(reply: Reply) -> tuple[int, None]:
    return len(reply.json["items"]), None


READERS: list[tuple[str, Callable[[Reply], tuple[int, str | None]]]] = [
    ("/lamps/l-1", lamp),
    ("/lamps?limit=200", lamps),
    ("/rooms/hall/lamps?limit=200", lamps),
    ("/parcel-days/2026-03-01", day),
    ("/parcel-days?from=2026-03-01&to=2026-03-31", days),
]


class Reader:
    """Asks for one path again and again, and checks each answer against the one before."""

    def __init__(self, api: Client, projected: Projected, path: str, look: Callable[[Reply], Any]) -> None:
        self._api, self._projected, self.path, self._look = api, projected, path, look
        self.position = 0
        self.mark: str | None = None
        self.answers = 0

    async def read(self) -> None:
        began, (number, since) = monotonic(), self._projected.served
        reply = await self._api.get(self.path)
        assert reply.status == 200, (self.path, reply)
        position, self.mark = self._look(reply)
        assert position >= self.position, (self.path, "older than the answer before")
        self.position = position
        self.answers += 1
        if self.mark is not None and began > since + MAX_AGE:
            assert MARKS.index(self.mark) + 1 >= number, (self.path, "follows within MAX_AGE")
        if self.mark is not None:
            self._is_of_one_build(MARKS.index(self.mark), position)

    def _is_of_one_build(self, build: int, position: int) -> None:
        after = self._projected.switched_after
        assert after[build] <= position, (self.path, "documents of a new build at a position of an old one")
        if build + 1 < len(after):
            assert position <= after[build + 1], (self.path, "documents of an old build at a position of a new one")

    async def loop(self) -> None:
        while True:
            await self.read()


@pytest.fixture
async def readers(api: Client, projected: Projected) -> AsyncIterator[list[Reader]]:
    """All of them at work; what one of them finds wrong fails the test."""
    readers = [Reader(api, projected, path, look) for path, look in READERS for _ in range(2)]
    loops = [asyncio.create_task(reader.loop()) for reader in readers]
    yield readers
    for loop in loops:
        loop.cancel()
    ends = await asyncio.gather(*loops, return_exceptions=True)
    assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []


async def test_readers_see_no_error_no_gap_and_nothing_older_while_builds_are_switched(
    projected: Projected, readers: list[Reader]
) -> None:
    async def everybody_sees(position: int, mark: str) -> bool:
        return all(reader.position == position and reader.mark in (mark, None) for reader in readers)

    await until(partial(everybody_sees, 3, MARKS[0]), "all have begun")
    for mark in MARKS[1:]:
        await projected.go_on(2)
        await projected.rebuild()
        await projected.go_on(3)  # the old build stays as it is
        await until(partial(everybody_sees, projected.position, mark), "all read the new build")


async def test_who_waits_through_a_switch_is_answered_from_the_new_build(
    settings: Settings, projected: Projected
) -> None:
    paths = ["/lamps/l-1?at_least=5", "/lamps?at_least=5", "/lamps/l-9?at_least=5"]
    async with served(TINY, settings.changed(at_least_timeout=30.0)) as api:
        waits = [asyncio.create_task(api.get(path)) for path in paths]
        await until(partial(_waiting, api, LAMP_DETAILS, 3), "they wait")
        await projected.rebuild()
        assert not any(wait.done() for wait in waits)
        await projected.go_on(2)
        one, several, none = await asyncio.gather(*waits)
        assert (lamp(one), lamps(several)) == ((5, MARKS[1]), (5, MARKS[1]))
        none.refused(404, "l-9")


async def _waiting(api: Client, view: View, count: int) -> bool:
    metrics = (await api.get("/metrics")).body.decode()
    return f'eventfold_query_at_least_waiting{{view="{view.name}"}} {count}.0' in metrics


async def test_a_page_goes_on_in_the_build_that_took_over(api: Client, projected: Projected) -> None:
    await projected.go_on(3)
    first = (await api.get("/lamps?limit=2")).json
    await projected.rebuild()
    await projected.go_on(2)
    await until(partial(_is_live, api, LAMP_DETAILS, 2), "the API follows")
    second = (await api.get(f"/lamps?limit=4&cursor={first['next']}")).json
    assert [row["lamp_id"] for row in first["items"]] == ["l-6", "l-5"]
    assert [row["lamp_id"] for row in second["items"]] == ["l-4", "l-3", "l-2", "l-1"]
    assert {row["status"] for row in second["items"]} == {MARKS[1]}
    assert "next" not in second


async def _is_live(api: Client, view: View, number: int) -> bool:
    await api.get("/lamps?limit=1")
    metrics = (await api.get("/metrics")).body.decode()
    return f'eventfold_query_live_build{{view="{view.name}"}} {number}.0' in metrics


async def test_lists_end_at_the_slowest_partition(api: Client, shelf: TinyShelf) -> None:
    await shelf.save(repartitioned(shelf.records["lamp_details"], 3, {"lamp_details_v1": -1}))
    await shelf.lamps(("a", 10), ("b", 20), ("c", 30))
    for partition, position in enumerate((30, 20)):
        await shelf.checkpoint(LAMP_DETAILS, position, partition)
    assert (await api.get("/lamps")).json == {"items": []}
    await shelf.checkpoint(LAMP_DETAILS, 25, 2)
    reply = await api.get("/lamps")
    assert ([row["lamp_id"] for row in reply.json["items"]], at(reply)) == (["b", "a"], 20)
    (await api.get("/lamps?at_least=21")).refused(503, "lamp_details is at 20, not yet at 21")
    await shelf.lamp("l-1", 900)
    assert (await api.get("/lamps/l-1?at_least=900")).status == 200, "its own position is enough"


async def test_a_view_divided_anew_shows_no_shorter_list(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(("a", 10), ("b", 20))
    await shelf.checkpoint(LAMP_DETAILS, 20)
    before = await api.get("/lamps")
    await shelf.save(repartitioned(shelf.records["lamp_details"], 2, {"lamp_details_v1": 15}))
    await shelf.store.remove("checkpoints", {"partition_epoch": 1})
    for _ in range(3):
        assert (await api.get("/lamps")).body == before.body


async def test_nothing_projected_yet(api: Client) -> None:
    (await api.get("/lamps/l-1")).refused(404)
    (await api.get("/parcel-days/2026-03-14")).refused(404)
    for path in ("/lamps", "/rooms/hall/lamps", "/parcel-days?from=2026-03-01&to=2026-03-31"):
        reply = await api.get(path)
        assert (reply.json, "eventfold-position" in reply.headers) == ({"items": []}, False)
    joined: list[Awaitable[Reply]] = [
        api.get(f"{path}at_least=0") for path in ("/lamps/l-1?", "/lamps?", "/parcel-days/2026-03-14?")
    ]
    for reply in await asyncio.gather(*joined):
        reply.refused(503, "no checkpoint yet")


async def test_the_first_documents_of_all_are_found_at_once(
    api: Client, read_store_database: ReadStoreDatabase
) -> None:
    (await api.get("/lamps/l-1")).refused(404)
    shelf = TinyShelf(ReadStore(read_store_database.uri, read_store_database.name))
    await shelf.prepare()
    await shelf.lamp("l-1", 1)
    assert (await api.get("/lamps/l-1")).status == 200
    await shelf.close()
