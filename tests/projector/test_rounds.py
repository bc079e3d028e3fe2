"""Random rounds over a whole system of processes: after each of them every view equals a fold of the log."""

import asyncio
import contextlib
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from infrastructure.event_store import NewEvent, WrongExpectedRevision
from tests.projector.appending import UNREADABLE, Appender
from tests.projector.commands import Customers
from tests.projector.fleet import Fleet, fleet_over
from tests.support.http_session import http_session
from tests.support.ordering import VIEWS
from tests.support.read_store import ReadStoreDatabase, ReadStoreServer
from tests.support.services import ORDERING, Service, node_uri, restart_node, running, start_node, until

NAMES = [view.name for view in VIEWS]

Happening = Callable[["World"], Awaitable[None]]


class World:
    """Everything that there is, and what may happen to it."""

    def __init__(
        self, fleet: Fleet, server: ReadStoreServer, queries: Service, customers: Customers, choose: random.Random
    ) -> None:
        self.done: Counter[str] = Counter()
        self.left_out: dict[str, set[tuple[int, str]]] = defaultdict(set)
        self._fleet = fleet
        self._server = server
        self._queries = queries
        self._customers = customers
        self._choose = choose
        self._vandal = Appender(fleet.log, choose, "v", poison=0.2)

    async def round(self) -> None:
        """Commands, while a few things happen; then every view is looked through."""
        kinds = list(self._happenings)
        weights = list(self._happenings.values())
        shopping = asyncio.create_task(self._customers.some(24))
        try:
            for kind in self._choose.choices(kinds, weights, k=3):
                self.done[kind.__name__.strip("_")] += 1
                await kind(self)
        finally:
            await shopping
        await self._all_running()
        await self._fleet.assert_folded(self.left_out)
        await self._discard()
        await self._orders_are_served()

    async def _kill_projector(self) -> None:
        name = self._choose.choice(list(self._fleet.projectors))
        await self._fleet.kill(name)
        await self._fleet.replace(name, self._choose)

    async def _projector_joins_or_leaves(self) -> None:
        names = list(self._fleet.projectors)
        if len(names) < 3:
            await self._fleet.start(f"p{self._choose.randrange(10**6)}")
        elif len(names) > 1:
            # It may still be starting, and a signal that comes so early kills it.
            await self._fleet.projectors.pop(self._choose.choice(names)).stop()

    async def _kill_node(self) -> None:
        await self._fleet.node.kill()
        await restart_node(self._fleet.node)

    async def _kill_read_store(self) -> None:
        self._server.kill()
        await asyncio.to_thread(self._server.start)

    async def _read_store_outage(self) -> None:
        self._server.kill()
        await self._customers.some(8)
        await asyncio.to_thread(self._server.start)

    async def _kill_query_api(self) -> None:
        await self._queries.kill()
        await self._queries.start()

    async def _rebuild(self) -> None:
        await self._change("POST", "rebuild")

    async def _cancel(self) -> None:
        await self._change("DELETE", "rebuild")

    async def _switch_back(self) -> None:
        await self._change("POST", "switch-back")

    async def _drop_previous(self) -> None:
        await self._change("DELETE", "previous")

    async def _divide(self) -> None:
        await self._change("PUT", "partitions", {"partitions": self._choose.randrange(1, 6)})

    async def _retry(self) -> None:
        """Nothing has been mended, so nothing comes of it."""
        view = self._choose.choice(NAMES)
        status, answer = await self._fleet.request("POST", "/dead-letters/retry", {"consumer": view})
        assert status in (200, 404, 409, 503), answer
        assert status != 200 or answer["replayed"] == 0, answer

    async def _vandalise(self) -> None:
        """Events that no command would make, some of them in orders that commands are sent to."""
        for _ in range(6):
            await self._vandal.one()
        stream = f"order-{self._choose.choice(self._customers.orders or ['nobody'])}"
        revision = len(await self._fleet.log.read_stream(stream)) - 1
        kind, data = self._choose.choice(UNREADABLE)
        with contextlib.suppress(WrongExpectedRevision):
            await self._fleet.log.append(stream, revision, [NewEvent(str(uuid.uuid4()), kind, data, b"")])

    async def _change(self, method: str, path: str, body: object = None) -> None:
        """What an operator asks for; it may well not be possible at the moment."""
        for name in self._choose.sample(NAMES, 2):
            status, answer = await self._fleet.request(method, f"/views/{name}/{path}", body)
            assert status in (200, 202, 409, 503), answer
            self.done[f"{path} {'refused' if status >= 400 else 'done'}"] += 1

    _happenings: ClassVar[dict[Happening, int]] = {
        _kill_projector: 5,
        _projector_joins_or_leaves: 3,
        _kill_node: 1,
        _kill_read_store: 2,
        _read_store_outage: 1,
        _kill_query_api: 1,
        _rebuild: 4,
        _cancel: 1,
        _switch_back: 2,
        _drop_previous: 1,
        _divide: 4,
        _retry: 1,
        _vandalise: 4,
    }
    """What may happen, and how often it does beside the others."""

    async def _all_running(self) -> None:
        """Whatever was started has come up, and has found the stores again: until then it refuses by its breaker."""
        for service in (*self._fleet.projectors.values(), self._queries):
            await until(partial(service.answers, "/health/ready"), f"{service.name} is ready", 60)

    async def _discard(self) -> None:
        """Now and then one of the events that are first to stand in the way is left out of a view."""
        if self._choose.random() < 0.7:
            return
        view = self._choose.choice(NAMES)
        status, answer = await self._fleet.request("GET", f"/dead-letters?consumer={view}&limit=500")
        assert status == 200, answer
        live = (await self._fleet.records())[view].live.collection
        first = [one for one in answer["dead_letters"] if one["first"] and one["target"] == live]
        if not first:
            return
        one = self._choose.choice(first)
        asked = {"consumer": view, "position": one["position"], "reason": "in the way"}
        status, answer = await self._fleet.request("POST", "/dead-letters/discard", asked)
        assert (status, answer.get("discarded")) == (200, 1), answer
        self.done["discarded"] += 1
        self.left_out[view] |= {(one["position"], key) for key in one["keys"]}
        await self._fleet.assert_folded(self.left_out)

    async def _orders_are_served(self) -> None:
        """A few orders over HTTP, in their last version."""
        async with http_session() as http:
            for order in self._choose.sample(self._customers.orders, 3):
                stream = await self._fleet.log.read_stream(f"order-{order}")
                if any((event.type, event.data) in UNREADABLE for event in stream):
                    continue
                path = f"/orders/{order}?at_least={stream[-1].position}"
                async with http.get(self._queries.url + path) as answer:
                    body = await answer.json()
                    assert (answer.status, body["version"]) == (200, stream[-1].revision), body


@asynccontextmanager
async def world(folder: Path, seed: int) -> AsyncIterator[World]:
    """A world with two projectors, for the block."""
    choose = random.Random(seed)
    node, server = await start_node(folder), ReadStoreServer(folder)
    try:
        await asyncio.to_thread(server.start)
        database = ReadStoreDatabase(server.uri, "world")
        given = {"eventstore_uri": node_uri(node.port), "mongo_uri": server.uri, "mongo_database": database.name}
        async with (
            fleet_over(folder, node, database, "p0", "p1", consumer_partitions="2") as fleet,
            running("command_api", folder, domain=ORDERING, **given) as commands,
            running("query_api", folder, domain=ORDERING, **given) as queries,
        ):
            yield World(fleet, server, queries, Customers(commands, fleet.http, choose), choose)
    finally:
        await node.kill()
        server.kill()


async def rounds(folder: Path, number: int) -> None:
    seed = random.randrange(10**9)
    async with world(folder, seed) as there:
        for one in range(number):
            try:
                await there.round()
            except BaseException:
                print(f"round {one} of seed {seed}: {dict(there.done)}")
                raise
    print(f"\nseed {seed}, {number} rounds: {dict(there.done)}")


async def test_a_round(tmp_path):
    await rounds(tmp_path, 1)


@pytest.mark.slow
@pytest.mark.timeout(5400)
async def test_a_hundred_rounds(tmp_path):
    await rounds(tmp_path, 100)
