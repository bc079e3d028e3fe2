"""Views rebuilt, switched, switched back and cancelled as processes, under clients that read over HTTP all the time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infrastructure.checkpoints import CHECKPOINTS, low_watermark
from infrastructure.read_store import ReadStoreUnavailable
from infrastructure.view_registry import ViewRecord
from tests.projector.appending import Appender, appending
from tests.projector.fleet import Fleet, fleet_over
from tests.projector.readers import Readers, reading
from tests.support.http_session import http_session
from tests.support.ordering import VIEWS
from tests.support.read_store import ReadStoreDatabase, ReadStoreServer
from tests.support.services import ORDERING, Service, node_uri, running, start_node, until

NAMES = [view.name for view in VIEWS]
SEED = random.randrange(10**9)


class Shop:
    """Projectors, a query API, somebody who orders and somebody who reads."""

    def __init__(self, fleet: Fleet, queries: Service, appender: Appender, readers: Readers) -> None:
        self.fleet = fleet
        self.queries = queries
        self.appender = appender
        self.readers = readers

    async def change(self, method: str, path: str, body: object = None) -> None:
        """The same for every view; it must be possible now."""
        for name in NAMES:
            status, answer = await self.fleet.request(method, f"/views/{name}/{path}", body)
            assert status in (200, 202), answer

    async def live(self, number: int) -> None:
        """Waits until every view is served from its build of that number, and nothing is under way."""

        async def served() -> bool:
            records = (await self.fleet.records()).values()
            return all(one.live.number == number and one.candidate is None for one in records)

        await until(served, f"build {number} is live", 90)

    async def answered(self) -> bool:
        """Whether queries of the views that are read are answered, and at once."""
        async with http_session() as http:
            position = self.appender.last[self.appender.placed[-1]][0]
            for path in (f"/orders?at_least={position}", f"/customers/none?at_least={position}"):
                async with http.get(self.queries.url + path) as answer:
                    if answer.status not in (200, 404):
                        return False
        return True

    async def more(self, events: int = 10) -> None:
        """Waits until that many more events have come and readers have read as often."""
        events += self.appender.appended
        reads = self.readers.reads + 30

        async def enough() -> bool:
            return self.appender.appended >= events and self.readers.reads >= reads

        await until(enough, "orders come in and are read", 60)


@asynccontextmanager
async def shop(
    folder: Path, node: Service, database: ReadStoreDatabase, *names: str, orders: int, **settings: str
) -> AsyncIterator[Shop]:
    """A shop with a history of so many orders, for the block; at its end every view is exact."""
    choose = random.Random(SEED)
    given = {"eventstore_uri": node_uri(node.port), "mongo_uri": database.uri, "mongo_database": database.name}
    async with (
        fleet_over(folder, node, database, *names, **settings) as fleet,
        running("query_api", folder, domain=ORDERING, at_least_timeout="60", **given) as queries,
    ):
        async with appending(fleet.log, choose, "r", poison=0, history=orders) as appender:
            await fleet.drained()
            async with reading(queries, appender, choose) as readers:
                yield Shop(fleet, queries, appender, readers)
        events = await fleet.assert_folded()
        print(f"\nseed {SEED}: {events} events, {readers.reads} reads, {readers.unavailable} of them 503 in an outage")


@asynccontextmanager
async def stores(folder: Path) -> AsyncIterator[tuple[Service, ReadStoreServer]]:
    """Both stores, for the block."""
    node, server = await start_node(folder), ReadStoreServer(folder)
    try:
        await asyncio.to_thread(server.start)
        yield node, server
    finally:
        await node.kill()
        server.kill()


class CandidateProgress:
    """Watches how far the builds under way are: from when they begin until they are served they never go back."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._furthest: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.01)

    async def look(self) -> int:
        """How far the last of them is; 0 when there is none."""
        try:
            found = [await self._reached(one) for one in (await self._fleet.records()).values()]
        except ReadStoreUnavailable:
            return 0
        return min((one for one in found if one is not None), default=0)

    async def _reached(self, record: ViewRecord) -> int | None:
        build = record.candidate
        if build is None:
            return None
        keys = record.target(build).keys
        # What was seen before this read began: two that overlap may end in any order.
        before = {key: self._furthest.get(key, -1) for key in keys}
        found = await self._fleet.store.load(CHECKPOINTS, keys)
        for key in keys:
            position = found[key].position if key in found else -1
            assert position >= before[key], f"{key} went back from {before[key]} to {position}"
            self._furthest[key] = max(position, self._furthest.get(key, -1))
        return low_watermark(record.target(build), found) or 0

    async def past(self, position: int) -> None:
        """Waits until all builds under way are further than that, and not done yet."""

        async def further() -> bool:
            return await self.look() > position

        await until(further, f"the rebuilds come to {position}", 60)


async def switches(folder: Path, database: ReadStoreDatabase, *back_to: int) -> None:
    """A rebuild, so many switches back, a rebuild that is cancelled, new partitions, and one more rebuild."""
    node = await start_node(folder)
    try:
        async with shop(folder, node, database, "a", "b", orders=50, consumer_partitions="2") as one:
            await one.change("POST", "rebuild")
            await one.live(2)
            for number in back_to:
                await one.change("POST", "switch-back")
                await one.live(number)
            await one.more()
            await one.change("POST", "rebuild")
            await one.change("DELETE", "rebuild")
            await one.change("PUT", "partitions", {"partitions": 3})
            await one.change("POST", "rebuild")
            await one.live(4)
            await one.more()
    finally:
        await node.kill()


@pytest.mark.slow
async def test_readers_notice_nothing_of_switches_and_switches_back(read_store_database, tmp_path):
    await switches(tmp_path, read_store_database, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_readers_notice_nothing_of_many_switches_back_and_forth(read_store_database, tmp_path):
    await switches(tmp_path, read_store_database, *[1, 2] * 10)


async def test_a_rebuild_goes_on_where_it_was(tmp_path):
    async with (
        stores(tmp_path) as (node, server),
        # Small batches, so that there is a middle to be killed in.
        shop(tmp_path, node, ReadStoreDatabase(server.uri, "shop"), "a", orders=250, consumer_batch="8") as one,
    ):
        length = max(position for position, _ in one.appender.last.values())
        progress = CandidateProgress(one.fleet)
        await one.change("POST", "rebuild")
        watching = asyncio.create_task(progress.run())
        for fraction in (5, 3):
            await progress.past(length // fraction)
            await one.fleet.kill("a")
            assert 0 < await progress.look() < length, "killed in the middle"
            await one.fleet.start("a")
        await progress.past(length // 2)
        one.readers.outage = True
        server.kill()
        await asyncio.to_thread(server.start)
        await until(one.answered, "queries are answered again")
        one.readers.outage = False
        await one.live(2)
        await one.more()
        watching.cancel()
        outcome = await asyncio.gather(watching, return_exceptions=True)
        assert isinstance(outcome[0], asyncio.CancelledError), outcome
