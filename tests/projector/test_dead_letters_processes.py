"""Dead letters as operators deal with them over HTTP, with several processes that fold the documents."""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import NO_STREAM, NewEvent
from tests.projector.appending import appending
from tests.projector.fleet import Fleet, fleet_over
from tests.support.bundled import CODEC
from tests.support.order_logs import cancelled, confirmed, created, delivered, shipped
from tests.support.ordering import VIEWS
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, node_uri, start_node, until


class Desk:
    """An operator's desk."""

    def __init__(self, fleet: Fleet, database: ReadStoreDatabase) -> None:
        self.fleet = fleet
        self.database = database

    async def append(self, order: str, *events: Any) -> list[int]:
        """Appends domain events, or the name of a type and bytes, to a new order; their positions."""
        stream = f"order-{order}"
        for revision, event in enumerate(events, start=NO_STREAM):
            new = NewEvent("", *event, b"") if isinstance(event, tuple) else CODEC.encode(event, EventMetadata(), "")
            await self.fleet.log.append(stream, revision, [NewEvent(_uuid(), new.type, new.data, new.metadata)])
        return [event.position for event in await self.fleet.log.read_stream(stream)]

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What is asked must be possible."""
        status, answer = await self.fleet.request(method, path, body)
        assert status == 200, answer
        return answer

    async def parked(self, view: str, key: str) -> list[tuple[int, bool]]:
        """Position of what is parked under a key, and whether it is what stands in the way."""
        found = (await self.ask("GET", f"/dead-letters?consumer={view}&key={key}"))["dead_letters"]
        return [(one["position"], one["first"]) for one in found]

    async def rebuilt(self) -> bool:
        """Whether the second build of the view is live."""
        return (await self.fleet.records())["order_details"].live.number == 2

    async def document(self, collection: str, key: str) -> Any:
        return (await self.fleet.store.load(collection, [key]))[key].fields


def _uuid() -> str:
    return f"{random.getrandbits(32):08x}-0000-4000-8000-{random.getrandbits(48):012x}"


@pytest_asyncio.fixture
async def desk(read_store_database: ReadStoreDatabase, tmp_path: Any) -> AsyncIterator[Desk]:
    node = await start_node(tmp_path)
    try:
        async with fleet_over(tmp_path, node, read_store_database, "a", "b", consumer_partitions="3") as fleet:
            yield Desk(fleet, read_store_database)
    finally:
        await node.kill()


TELEPORTED = ("OrderTeleported", b'{"to":"Mars"}')


async def restarted(fleet: Fleet) -> None:
    """All processes end in an orderly way, and come back."""
    await fleet.drained()
    for name in fleet.projectors:
        await until(fleet.projectors[name].answers, "it has started")
        assert await fleet.projectors[name].stop() == 0
    await fleet.start(*fleet.projectors)


async def test_listed_shown_retried_and_discarded(desk):
    at = await desk.append("o1", created("o1"), confirmed("o1"), TELEPORTED, shipped("o1"), delivered("o1"))
    await desk.fleet.assert_folded()
    assert await desk.parked("order_details", "order-o1") == [(at[2], True), (at[3], False), (at[4], False)]
    shown = await desk.ask("GET", f"/dead-letters/order_details/{at[2]}")
    assert shown["data"] == '{"to":"Mars"}'
    assert shown["summary"]["error"].startswith("UnknownEventType")
    assert shown["summary"]["keys"] == ["order-o1"]

    told = await desk.ask("POST", "/dead-letters/retry", {"consumer": "order_details", "key": "order-o1"})
    assert (told["replayed"], told["remaining"]) == (0, 3)
    assert told["errors"][0].startswith(f"stream order-o1 at {at[2]}: ")
    assert "UnknownEventType" in told["errors"][0]
    assert (await desk.document("order_details_v2", "o1"))["status"] == "confirmed"
    await desk.fleet.assert_folded()

    asked = {"consumer": "order_details", "position": at[2], "reason": "nobody can be teleported"}
    told = await desk.ask("POST", "/dead-letters/discard", asked)
    assert told == {"consumer": "order_details", "replayed": 2, "discarded": 1, "remaining": 0, "errors": []}
    assert (await desk.document("order_details_v2", "o1"))["status"] == "delivered"
    left_out = {"order_details": {(at[2], "order-o1")}}
    await desk.fleet.assert_folded(left_out)
    assert await desk.parked("order_details", "order-o1") == []
    assert len(await desk.parked("order_list", "order-o1")) == 3, "the other views were not asked about"
    status, _ = await desk.fleet.request("POST", "/dead-letters/discard", asked)
    assert status == 404, "it is no dead letter any more"

    await restarted(desk.fleet)
    await desk.fleet.assert_folded(left_out)
    status, _ = await desk.fleet.request("POST", "/views/order_details/rebuild")
    assert status == 202
    await until(desk.rebuilt, "rebuilt", 60)
    await desk.fleet.assert_folded(left_out)


async def test_what_stood_behind_goes_into_documents_of_several_processes(desk):
    customers = [f"c{number}" for number in range(6)]
    many = [created("many", customer, 100 + number) for number, customer in enumerate(customers)]
    at = await desk.append("many", many[0], TELEPORTED, *many[1:], cancelled(many[5]))
    for number, customer in enumerate(customers):
        await desk.append(f"o{number}", first := created(f"o{number}", customer, day=number % 2), cancelled(first))
    await desk.fleet.assert_folded()
    left_out = {}
    for view in ("customer_summary", "daily_sales"):
        asked = {"consumer": view, "position": at[1], "reason": "in the way"}
        told = await desk.ask("POST", "/dead-letters/discard", asked)
        assert (told["discarded"], told["remaining"], told["errors"]) == (1, 0, [])
        left_out[view] = {(at[1], "order-many")}
        await desk.fleet.assert_folded(left_out)
    assert {(await desk.document("customer_summary_v1", customer))["orders"] for customer in customers} == {2}
    await restarted(desk.fleet)
    await desk.fleet.assert_folded(left_out)


async def test_a_document_that_begins_with_what_it_cannot_take(desk):
    at = await desk.append("o1", confirmed("o1"), created("o1"), shipped("o1"))
    await desk.fleet.assert_folded()
    assert await desk.parked("order_details", "o1") == [(at[0], True), (at[1], False), (at[2], False)]
    told = await desk.ask("POST", "/dead-letters/retry", {"consumer": "order_details"})
    assert told["errors"] == [f"key o1 at {at[0]}: MissingBeginning: order-o1 has lost its beginning, before event 0"]
    told = await desk.ask(
        "POST", "/dead-letters/discard", {"consumer": "order_details", "position": at[0], "reason": "too early"}
    )
    assert (told["replayed"], told["discarded"], told["remaining"]) == (2, 1, 0)
    assert (await desk.document("order_details_v2", "o1"))["status"] == "shipped"
    await restarted(desk.fleet)
    await desk.fleet.assert_folded({"order_details": {(at[0], "o1")}})


class Clerk:
    """Discards what stands in the way of a view, while more comes in and processes are killed."""

    def __init__(self, fleet: Fleet, choose: random.Random) -> None:
        self.left_out: dict[str, set[tuple[int, str]]] = {view.name: set() for view in VIEWS}
        self.discarded = 0
        self._fleet = fleet
        self._choose = choose

    async def one(self, view: str) -> bool:
        """Discards one event; whether there was any."""
        status, answer = await self._fleet.request("GET", f"/dead-letters?consumer={view}&limit=500")
        assert status == 200, answer
        first = [one for one in answer["dead_letters"] if one["first"]]
        if not first:
            assert answer["dead_letters"] == [], "nothing stands behind nothing"
            return False
        one = self._choose.choice(first)
        self.left_out[view] |= {(one["position"], key) for key in one["keys"]}
        asked = {"consumer": view, "position": one["position"], "reason": "in the way"}
        status, answer = await self._fleet.request("POST", "/dead-letters/discard", asked)
        # 503: who folds the documents was killed before it answered. 404: who was asked before was killed after it
        # had all done. Asked again, it comes right.
        assert status in (200, 404, 503), answer
        self.discarded += 1
        return True


async def discarded_under_fire(desk: Desk, kills: int, poison: float) -> None:
    seed = random.randrange(10**9)
    choose, fleet = random.Random(seed), desk.fleet
    clerk = Clerk(fleet, choose)
    try:
        async with appending(fleet.log, choose, "f", poison=poison):
            for _ in range(kills):
                before = clerk.discarded
                while clerk.discarded < before + 2:
                    await clerk.one(choose.choice(list(clerk.left_out)))
                working = asyncio.create_task(clerk.one(choose.choice(list(clerk.left_out))))
                await asyncio.sleep(choose.random() * 0.2)
                name = choose.choice(list(fleet.projectors))
                await fleet.kill(name)
                await fleet.replace(name, choose)
                await working
        await fleet.drained()
        for view in clerk.left_out:
            while await clerk.one(view):
                pass
        events = await fleet.assert_folded(clerk.left_out)
    finally:
        print(f"\nseed {seed}: {clerk.discarded} discarded, {kills} kills")
    print(f"{events} events")


@pytest.mark.slow
async def test_discarded_while_more_comes_in_and_processes_are_killed(desk):
    await discarded_under_fire(desk, 1, 0.01)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_discarded_while_more_comes_in_and_processes_are_killed_many_times(desk):
    await discarded_under_fire(desk, 40, 0.01)


async def _share_documents(desk: Desk, choose: random.Random, orders: int) -> dict[str, set[tuple[int, str]]]:
    """Many streams with an event that nobody can read, whose later events go into the same customers and days as those
    of other orders; what is to be discarded of each view."""
    unreadable = set()
    for number in range(orders):
        customer, day = f"c{choose.randrange(3)}", choose.randrange(2)
        order = created(f"s{number}", customer, 100 + number, day)
        if number % 2:
            at = await desk.append(f"s{number}", order, TELEPORTED, cancelled(order), created(f"s{number}", "c0", 7, 1))
            unreadable.add((at[1], f"order-s{number}"))
        else:
            await desk.append(f"s{number}", order, cancelled(order))
    return {view.name: set(unreadable) for view in VIEWS}


async def replayed_under_fire(desk: Desk, orders: int, kills: int) -> None:
    """Documents go back and forward again while the processes that do it are killed."""
    seed = random.randrange(10**9)
    choose, fleet = random.Random(seed), desk.fleet
    left_out = await _share_documents(desk, choose, orders)
    places = sorted((view, position) for view in left_out for position, _ in left_out[view])
    choose.shuffle(places)
    await fleet.assert_folded()

    async def discard(view: str, position: int) -> None:
        asked = {"consumer": view, "position": position, "reason": "nobody can be teleported"}
        status, answer = await fleet.request("POST", "/dead-letters/discard", asked)
        # 503: who has the documents was killed. 404: it was done, but who was asked before was killed after it.
        assert status in (200, 404, 503), answer

    try:
        for number, (view, position) in enumerate(places):
            working = asyncio.create_task(discard(view, position))
            if number < kills:
                await asyncio.sleep(choose.random() * 0.1)
                name = choose.choice(list(fleet.projectors))
                await fleet.kill(name)
                await fleet.replace(name, choose)
            await working
        for view in left_out:
            status, answer = await fleet.request("POST", "/dead-letters/retry", {"consumer": view})
            assert status == 404 or answer["remaining"] == 0, answer
        await fleet.assert_folded(left_out)
        await _verified(desk)
    finally:
        print(f"\nseed {seed}: {len(places)} discarded, {kills} kills")


async def _verified(desk: Desk) -> None:
    """`eventfold views verify` finds every document of every view equal."""
    stores = {"eventstore_uri": node_uri(desk.fleet.node.port), "mongo_uri": desk.database.uri}
    environ = {f"EVENTFOLD_{name.upper()}": value for name, value in stores.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.ordering", "views", "verify", "--all", "--json"),
        env={**os.environ, **environ, "EVENTFOLD_MONGO_DATABASE": desk.database.name},
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert [one["view"] for one in json.loads(output)] == [view.name for view in VIEWS]


async def test_streams_that_share_documents_are_replayed_while_processes_are_killed(desk):
    await replayed_under_fire(desk, 4, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_streams_that_share_documents_are_replayed_while_processes_are_killed_many_times(desk):
    await replayed_under_fire(desk, 60, 40)
