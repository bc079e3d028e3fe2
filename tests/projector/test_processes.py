"""The projector as a process beside a real node and a real read store: killed, cut off, stopped, asked."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct

from infrastructure.event_codec import EventMetadata, event_id
from infrastructure.event_store import EventStore, NewEvent, StoredEvent
from infrastructure.read_store import ReadStore, ReadStoreUnavailable
from tests.projector.verdict import assert_equal_to_a_fold
from tests.support.bundled import CODEC
from tests.support.http_session import http_session
from tests.support.order_logs import cancelled, confirmed, created, delivered, fold_of, shipped
from tests.support.ordering import VIEWS
from tests.support.read_store import ReadStoreDatabase, ReadStoreServer
from tests.support.services import ORDERING, Service, node_uri, restart_node, running, start_node, until

ORDERS = 800


class History(Struct):
    """A node with a log of a few thousand events, among them some that nobody can decode."""

    node: Service
    events: list[StoredEvent]

    @property
    def last(self) -> int:
        return self.events[-1].position


async def append(store: EventStore, order: int) -> None:
    """One order moved on as far as its number says, some with poison in between."""
    order_id, customer = f"o{order}", f"c{order % 50}"
    first = created(order_id, customer, order + 1, order % 9, lines=order % 4 + 1)
    rest = [cancelled(first)] if order % 10 == 0 else [confirmed(order_id, customer), shipped(order_id, customer)]
    if order % 10 > 6:
        rest.append(delivered(order_id, customer))
    stream = f"order-{order_id}"
    for revision, event in enumerate([first, *rest]):
        new = CODEC.encode(event, EventMetadata(), event_id(stream, str(revision), "", 0))
        if order % 40 == 3 and revision == 1:
            new = NewEvent(new.id, "OrderTeleported", b"{}", b"")
        await store.append(stream, revision - 1, [new])


async def append_orders(node: Service, orders: range) -> None:
    store = EventStore(node_uri(node.port), retry_timeout=20)
    in_flight = asyncio.Semaphore(64)

    async def one(order: int) -> None:
        async with in_flight:
            await append(store, order)

    try:
        await asyncio.gather(*(one(order) for order in orders))
    finally:
        await store.close()


async def all_events(node: Service) -> list[StoredEvent]:
    store = EventStore(node_uri(node.port), retry_timeout=20)
    try:
        return [event async for event in store.read_all()]
    finally:
        await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def history(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[History]:
    node = await start_node(tmp_path_factory.mktemp("history"))
    await append_orders(node, range(ORDERS))
    yield History(node, await all_events(node))
    await node.kill()


def settings(node: Service, database: ReadStoreDatabase, **others: str) -> dict[str, str]:
    given = {"eventstore_uri": node_uri(node.port), "mongo_uri": database.uri, "mongo_database": database.name}
    return {**given, "consumer_name": "p", **others}


async def reached(store: ReadStore, position: int) -> bool:
    """Whether every view's checkpoint is there."""
    try:
        found = await store.load("checkpoints", [f"{view.collection}:1:0" for view in VIEWS])
    except ReadStoreUnavailable:
        return False
    return len(found) == len(VIEWS) and all(one.position >= position for one in found.values())


class Kills:
    """Kills a projector again and again while it catches up, each time at another moment."""

    def __init__(self, projector: Service, store: ReadStore, last: int) -> None:
        self._projector = projector
        self._store = store
        self._last = last
        self.lives = 0

    async def one(self, goal: int) -> None:
        """A life that ends once the views have come to `goal`, or a little later or earlier than a checkpoint."""
        await self._projector.start()
        self.lives += 1
        if random.random() < 0.8:
            await until(lambda: reached(self._store, goal), f"position {goal}")
        deadline = time.monotonic() + random.random() * 0.03
        while time.monotonic() < deadline:
            await asyncio.sleep(0)
        await self._projector.kill()


async def kills(history: History, database: ReadStoreDatabase, folder: Path, rounds: int) -> None:
    store = ReadStore(database.uri, database.name)
    # Small batches, so that there is a catch-up to be killed in however fast the machine is.
    async with running(
        "projector", folder, domain=ORDERING, **settings(history.node, database, consumer_batch="40")
    ) as projector:
        await projector.kill()
        lives = Kills(projector, store, history.last)
        for number in range(rounds):
            # The last one too has half the log before it: a projector reads hundreds of events in the time of a kill.
            await lives.one(history.events[len(history.events) * number // (2 * rounds)].position)
        assert not await reached(store, history.last), "killed in the middle, not after the end"
        await projector.start()
        await until(lambda: reached(store, history.last), "caught up")
    await assert_equal_to_a_fold(store, history.events)
    await store.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_killed_again_and_again_while_it_catches_up(history, read_store_database, tmp_path):
    await kills(history, read_store_database, tmp_path, 5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.asyncio(loop_scope="module")
async def test_killed_200_times_while_it_catches_up(history, read_store_database, tmp_path):
    await kills(history, read_store_database, tmp_path, 200)


async def get(url: str) -> tuple[int, Any]:
    async with http_session() as http, http.get(url) as answer:
        return answer.status, await answer.json()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_zombie_that_wakes_up_behind_its_successor_does_no_harm(history, read_store_database, tmp_path):
    store = ReadStore(read_store_database.uri, read_store_database.name)
    given = settings(history.node, read_store_database)
    async with running("projector", tmp_path, domain=ORDERING, **given, consumer_batch="100") as zombie:
        await until(lambda: reached(store, history.events[len(history.events) // 4].position), "on its way")
        zombie.signal(signal.SIGSTOP)
        async with running("projector", tmp_path, domain=ORDERING, **(given | {"consumer_name": "q"})) as successor:
            await until(lambda: reached(store, history.last), "caught up")
            zombie.signal(signal.SIGCONT)
            await until(lambda: sees_both(zombie), "the zombie knows of its successor")
            await assert_equal_to_a_fold(store, history.events)
            await until(lambda: live(successor), "both are live")
    await store.close()


async def live(projector: Service) -> bool:
    views = (await get(f"{projector.url}/status"))[1]["views"]
    return {(view["state"], view["lag_seconds"]) for view in views} == {("live", 0.0)}


async def sees_both(projector: Service) -> bool:
    """Whether the projector knows that two are alive, and every view is live."""
    instances = (await get(f"{projector.url}/status"))[1]["instances"]
    return [one["alive"] for one in instances] == [True, True] and await live(projector)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_operators_see_and_an_orderly_end(history, read_store_database, tmp_path):
    _, parked = fold_of(VIEWS[0], history.events)
    async with running(
        "projector", tmp_path, domain=ORDERING, **settings(history.node, read_store_database)
    ) as projector:
        await until(lambda: live(projector), "every view is live")
        status, body = await get(f"{projector.url}/status")
        assert (status, body["event_store"]) == (200, {"position": history.last, "reachable": True})
        assert [view["name"] for view in body["views"]] == [view.name for view in VIEWS]
        assert body["views"][0]["parked"] == len(parked) > 0
        await until(lambda: projector.answers("/health/ready"), "the projector is ready")

        status, body = await get(f"{projector.url}/dead-letters?consumer=order_details&limit=500")
        assert status == 200
        assert [one["position"] for one in body["dead_letters"]] == sorted(parked)
        first = body["dead_letters"][0]
        assert (first["kind"], first["keys"], first["event_type"]) == ("stream", [first["stream"]], "OrderTeleported")
        assert first["error"].startswith("UnknownEventType")
        three = (await get(f"{projector.url}/dead-letters?consumer=order_details&limit=3"))[1]
        assert [one["position"] for one in three["dead_letters"]] == sorted(parked)[:3]
        rest = (await get(f"{projector.url}/dead-letters?consumer=order_details&after={three['next']}"))[1]
        assert rest["dead_letters"][0]["position"] == sorted(parked)[3]
        assert (await get(f"{projector.url}/dead-letters?limit=0"))[0] == 400

        async with http_session() as http, http.get(f"{projector.url}/metrics") as answer:
            metrics = await answer.text()
        assert f'eventfold_consumer_parked_events{{consumer="order_details"}} {len(parked)}.0' in metrics
        assert f'eventfold_consumer_position{{consumer="daily_sales"}} {float(history.last)}' in metrics
        assert await projector.stop() == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_each_store_is_killed_and_comes_back(tmp_path):
    node = await start_node(tmp_path)
    server = ReadStoreServer(tmp_path)
    await asyncio.to_thread(server.start)
    database = ReadStoreDatabase(server.uri, "eventfold")
    store = ReadStore(server.uri, "eventfold")
    async with running(
        "projector", tmp_path, domain=ORDERING, **settings(node, database, readstore_timeout="1")
    ) as projector:

        async def ready() -> bool:
            return (await get(f"{projector.url}/health/ready"))[0] == 200

        for first in range(0, 300, 100):
            await append_orders(node, range(first, first + 50))
            server.kill()
            await append_orders(node, range(first + 50, first + 75))
            await asyncio.to_thread(server.start)
            await node.kill()
            await restart_node(node)
            await append_orders(node, range(first + 75, first + 100))
            last = (await all_events(node))[-1].position
            await until(lambda last=last: reached(store, last), "caught up")
        await until(ready, "ready again")
        await assert_equal_to_a_fold(store, await all_events(node))
        assert await projector.stop() == 0
    await store.close()
    await node.kill()
    server.kill()
