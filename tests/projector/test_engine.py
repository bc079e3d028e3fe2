"""The engine over a scripted log and a store in memory: what is read, written and repeated, and when."""

import asyncio
from typing import Any

import pytest

from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable, Write
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from read_models.ordering.order_details import ORDER_DETAILS
from tests.projector.logs import CREATED_V1, LogBuilder, cancelled, confirmed, created, delivered, fold_of, shipped
from tests.projector.running import all_done, assert_folded, engine_over, project_all
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import VIEWS


def orders(number: int, first: int = 0) -> LogBuilder:
    """A log in which so many orders are placed and confirmed."""
    log = LogBuilder()
    for order in range(first, first + number):
        log.add(f"order-o{order}", created(f"o{order}", f"c{order % 3}"))
        log.add(f"order-o{order}", confirmed(f"o{order}", f"c{order % 3}"))
    return log


def checkpoint(store: MemoryReadStore, view: Any) -> int:
    return store.documents("checkpoints")[f"{view.collection}:1:0"]["_position"]


def forget_checkpoints(store: MemoryReadStore) -> None:
    del store.collections["checkpoints"]


def sizes(store: MemoryReadStore, operation: str, collection: str) -> list[int]:
    """How many documents each operation of a kind was about."""
    return [size for name, where, size in store.operations if (name, where) == (operation, collection)]


class TestWriting:
    async def test_a_document_touched_many_times_in_a_batch_is_written_once(self):
        log = LogBuilder()
        for event in (created("o1"), confirmed("o1"), shipped("o1"), delivered("o1")):
            log.add("order-o1", event)
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert sizes(store, "write", "order_details_v1") == [1]
        assert store.documents("order_details_v1")["o1"]["status"] == "delivered"

    async def test_missing_documents_are_loaded_in_one_read_and_known_ones_never(self):
        store = MemoryReadStore()
        await project_all(ScriptedLog(orders(30).events, cuts=[20, 20, 20]), store)
        assert sizes(store, "load", "customer_summary_v1") == [3]
        assert sizes(store, "load", "order_details_v1") == [], "a stream's first event finds no document"

    async def test_a_document_let_go_of_is_loaded_again(self):
        store = MemoryReadStore()
        log = ScriptedLog(orders(10).events, cuts=[3] * 7)
        await project_all(log, store, projector_cache=0)
        assert sum(sizes(store, "load", "order_details_v1")) > 0
        assert_folded(store, log)

    async def test_each_checkpoint_comes_after_its_documents(self):
        store = MemoryReadStore()
        await project_all(ScriptedLog(orders(9).events, cuts=[4] * 5), store)
        done = [(name, where) for name, where, _ in store.operations if name == "write"]
        documents = max(done.index(("write", view.collection)) for view in VIEWS)
        assert done.index(("write", "checkpoints")) < len(done) - 1
        assert len(done) - 1 - done[::-1].index(("write", "checkpoints")) > documents

    async def test_checkpoints_noted_while_one_is_written_go_in_one_write(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(3).events)
        reached, let_go = asyncio.Event(), asyncio.Event()

        async def slow(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "checkpoints"):
                reached.set()
                await let_go.wait()

        store.before = slow
        async with engine_over(log, store) as engine:
            await reached.wait()
            while not all(one.handled >= log.end for one in engine.followers):
                await asyncio.sleep(0)
            let_go.set()
            await all_done(log, engine, len(VIEWS))
        assert sum(sizes(store, "write", "checkpoints")) == len(VIEWS)
        assert len(sizes(store, "write", "checkpoints")) <= 2

    async def test_events_of_others_only_advance_the_checkpoint(self):
        log = LogBuilder()
        log.add_raw("elsewhere-1", "Whatever", b"not JSON")
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert checkpoint(store, ORDER_DETAILS) == log.events[-1].position
        assert {view.collection for view in VIEWS} & set(store.collections) == set()

    async def test_the_checkpoint_advances_while_the_server_filters_everything_out(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(1).events)
        async with engine_over(log, store) as engine:
            await all_done(log, engine, len(VIEWS))
            log.advance(9_000)
            while {one.position for one in engine.followers} != {9_000}:
                await asyncio.sleep(0)
        assert checkpoint(store, CUSTOMER_SUMMARY) == 9_000

    async def test_an_empty_log_writes_no_document_and_no_checkpoint(self):
        store = MemoryReadStore()
        await project_all(ScriptedLog([]), store)
        assert not {"checkpoints", *(view.collection for view in VIEWS)} & set(store.collections)

    async def test_an_event_of_an_older_schema_is_lifted(self):
        log = LogBuilder()
        log.add_raw("order-o1", "OrderCreated", CREATED_V1 % b"o1")
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert store.documents("order_details_v1")["o1"]["lines"] == [
            {"sku": "apple", "quantity": 3, "unit_price": 50, "discount": 0, "total": 150}
        ]
        assert store.documents("daily_sales_v1")["2024-05-01"]["revenue"] == {"USD": 150}


class TestStarting:
    async def test_each_view_goes_on_from_its_own_checkpoint(self):
        events, store = orders(5).events, MemoryReadStore()
        await project_all(ScriptedLog(events[:6]), store, [ORDER_DETAILS])
        store.operations.clear()
        log = ScriptedLog(events)
        await project_all(log, store)
        assert log.subscribed_after == [None], "the new views begin at the first event"
        assert sum(sizes(store, "write", "order_details_v1")) == 2, "the old one skips what it has folded"
        assert_folded(store, log)

    async def test_all_at_the_end_subscribe_after_the_lowest_checkpoint(self):
        events, store = orders(5).events, MemoryReadStore()
        await project_all(ScriptedLog(events[:4]), store)
        await project_all(ScriptedLog(events[:8]), store, VIEWS[:1])
        log = ScriptedLog(events)
        await project_all(log, store)
        assert log.subscribed_after == [events[3].position]
        assert_folded(store, log)

    async def test_the_stores_may_be_away_at_the_start(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(2).events)
        store.before, log.away = outage(operations=5), True
        async with engine_over(log, store) as engine:
            while engine.trouble is None:
                await asyncio.sleep(0)
            log.away = False
            await all_done(log, engine, len(VIEWS))
        assert_folded(store, log)


class TestReadStoreOutage:
    @pytest.mark.parametrize("took_effect", [False, True])
    async def test_the_batch_at_hand_is_repeated_until_it_is_through(self, took_effect):
        store, log = MemoryReadStore(), ScriptedLog(orders(20).events, cuts=[7] * 6)
        if took_effect:
            store.after = outage(operations=40)
        else:
            store.before = outage(operations=40)
        await project_all(log, store)
        assert_folded(store, log)

    async def test_while_it_lasts_nothing_more_is_taken_from_the_log(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(20).events, cuts=[4] * 10)
        store.before = outage(operations=10**9)
        async with engine_over(log, store) as engine:
            while engine.trouble is None:
                await asyncio.sleep(0)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert log.subscribed_after == [], "not before the checkpoints are known"
            store.before = outage(operations=0)
            await all_done(log, engine, len(VIEWS))
            assert engine.trouble is None
        assert_folded(store, log)

    async def test_a_refusal_by_the_store_is_waited_out_and_parks_nothing(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(3).events)
        failures = iter(range(5))

        async def disk_full(operation: str, _collection: str) -> None:
            if operation == "write" and next(failures, None) is not None:
                raise ReadStoreRefused("no space left on device")

        store.before = disk_full
        await project_all(log, store)
        assert store.documents("parked_events") == {}
        assert_folded(store, log)


class TestLostSubscription:
    async def test_it_is_opened_again_after_the_last_event_folded(self):
        events = orders(10).events
        store, log = MemoryReadStore(), ScriptedLog(events, cuts=[5, 0, 3, 0, 0])
        await project_all(log, store)
        assert log.subscribed_after == [None, events[4].position, events[7].position, events[7].position]
        assert_folded(store, log)

    async def test_one_that_has_gone_dead_without_a_word_is_noticed(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(2).events)
        log.silent = True
        async with engine_over(log, store, idle_check=0.005) as engine:
            while len(log.subscribed_after) < 2:
                await asyncio.sleep(0)
            log.silent = False
            await all_done(log, engine, len(VIEWS))
        assert_folded(store, log)

    async def test_a_log_without_news_is_left_in_peace(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(2).events)
        asked = 0
        last_position = log.last_position

        async def counted() -> int | None:
            nonlocal asked
            asked += 1
            return await last_position()

        log.last_position = counted
        async with engine_over(log, store, [ORDER_DETAILS], idle_check=0.001):
            while asked < 5:
                await asyncio.sleep(0)
        assert log.subscribed_after == [None]


class TestOtherWriters:
    async def test_a_refused_insert_is_decided_again_on_what_the_store_holds(self):
        """A replay over documents that are already there: each is read, found to be newer, and left alone."""
        store, log = MemoryReadStore(), ScriptedLog(orders(3).events)
        await project_all(log, store)
        before = store.documents("order_details_v1")
        forget_checkpoints(store)
        again = ScriptedLog(log.events, cuts=[1, 1, 1, 1, 1, 1])
        await project_all(again, store)
        assert store.documents("order_details_v1") == before
        assert_folded(store, again)

    async def test_a_document_half_as_new_is_folded_on(self):
        log = orders(1)
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events[:1]), store)
        forget_checkpoints(store)
        await project_all(ScriptedLog(log.events), store)
        assert_folded(store, ScriptedLog(log.events))

    async def test_a_writer_that_is_ahead_is_never_overwritten(self):
        log, store = orders(1), MemoryReadStore()
        newer = {**fold_of(ORDER_DETAILS, log.events)[0]["o0"], "status": "from the future"}
        del newer["_id"], newer["_position"]
        await store.write("order_details_v1", [Write("o0", 10**6, newer)])
        await project_all(ScriptedLog(log.events, cuts=[1, 1]), store, [ORDER_DETAILS])
        assert store.documents("order_details_v1")["o0"]["status"] == "from the future"
        assert checkpoint(store, ORDER_DETAILS) == log.events[-1].position


class TestStopping:
    async def test_the_batch_at_hand_is_finished_and_its_checkpoint_written(self):
        events, store = orders(10).events, MemoryReadStore()
        log = ScriptedLog(events, cuts=[8, 4, 4])
        writing = asyncio.Event()

        async def tell(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", ORDER_DETAILS.collection):
                writing.set()

        store.before = tell
        async with engine_over(log, store):
            await writing.wait()
        reached = {view.name: checkpoint(store, view) for view in VIEWS}
        for view in VIEWS:
            position = reached[view.name]
            documents, _ = fold_of(view, [event for event in events if event.position <= position])
            assert store.documents(view.collection) == documents
        assert reached[ORDER_DETAILS.name] >= events[7].position

    @pytest.mark.parametrize("collection", ["order_details_v1", "checkpoints"])
    @pytest.mark.parametrize("operation", ["prepare", "write"])
    async def test_it_does_not_wait_for_a_store_that_is_away(self, operation, collection):
        store, log = MemoryReadStore(), ScriptedLog(orders(3).events)
        failed = asyncio.Event()

        async def away(its_operation: str, its_collection: str) -> None:
            if (its_operation, its_collection) == (operation, collection):
                failed.set()
                raise ReadStoreUnavailable("away")

        store.before = away
        async with engine_over(log, store):
            await failed.wait()

    async def test_leases_are_given_up_and_the_heartbeat_ends(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(3).events)
        await project_all(log, store)
        assert {lease["owner"] for lease in store.documents("leases").values()} == {""}
        assert store.documents("projector_members") == {}

    async def test_a_fault_of_our_own_starts_again_from_the_checkpoints(self):
        store, log = MemoryReadStore(), ScriptedLog(orders(10).events, cuts=[5] * 4)
        failures = iter([False, False, True])

        async def bug(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", CUSTOMER_SUMMARY.collection) and next(failures, False):
                raise RuntimeError("a bug")

        store.after = bug
        await project_all(log, store)
        assert sizes(store, "load", "checkpoints").count(1) >= len(VIEWS) + 1, "that view read its checkpoint again"
        assert_folded(store, log)

    async def test_cancelled_orders_leave_the_figures(self):
        log, first = LogBuilder(), created("o1", amount=500)
        log.add("order-o1", first)
        log.add("order-o1", cancelled(first))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert store.documents("customer_summary_v1")["c1"]["spend"] == {"USD": 0}
