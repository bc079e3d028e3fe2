"""Views folded over a scripted log and a store in memory: what is read, written and repeated, and when."""

import asyncio
from typing import Any

import pytest

from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable, Write
from tests.projector.lamp_rooms import LAMP_ROOMS
from tests.projector.running import VIEWS, assert_folded, engine_over, project_all
from tests.projector.touchy_view import TOUCHY
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.running import all_done
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS
from tests.support.tiny.logs import INSTALLED_V1, TinyLog, fold_of, installed, sent, switched_off, switched_on


def some(number: int) -> TinyLog:
    """A log in which so many lamps are installed and switched on, and as many parcels sent."""
    log = TinyLog()
    for one in range(number):
        log.happen(installed(f"l{one}", f"r{one % 3}"), switched_on(f"l{one}"), sent(f"p{one}", one % 2))
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
        log = TinyLog(installed("l1"), switched_on("l1"), switched_off("l1"), switched_on("l1"))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert sizes(store, "write", "lamp_details_v1") == [1]
        assert store.documents("lamp_details_v1")["l1"]["status"] == "on"

    async def test_missing_documents_are_loaded_in_one_read_and_known_ones_never(self):
        store = MemoryReadStore()
        await project_all(ScriptedLog(some(30).events, cuts=[20, 20, 20]), store)
        assert sizes(store, "load", "lamp_rooms_v1") == [3]
        assert sizes(store, "load", "parcel_days_v1") == [2]
        assert sizes(store, "load", "lamp_details_v1") == [], "a stream's first event finds no document"

    async def test_a_document_let_go_of_is_loaded_again(self):
        store = MemoryReadStore()
        log = ScriptedLog(some(10).events, cuts=[2] * 15)
        await project_all(log, store, projector_cache=0)
        assert sum(sizes(store, "load", "lamp_details_v1")) > 0
        assert_folded(store, log)

    async def test_each_checkpoint_comes_after_its_documents(self):
        store = MemoryReadStore()
        await project_all(ScriptedLog(some(9).events, cuts=[4] * 7), store)
        done = [(name, where) for name, where, _ in store.operations if name == "write"]
        documents = max(done.index(("write", view.collection)) for view in VIEWS)
        assert done.index(("write", "checkpoints")) < len(done) - 1
        assert len(done) - 1 - done[::-1].index(("write", "checkpoints")) > documents

    async def test_an_event_of_an_older_schema_is_lifted(self):
        log = TinyLog()
        log.add_raw("lamp-l1", "LampInstalled", INSTALLED_V1 % b"l1")
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        lamp = store.documents("lamp_details_v1")["l1"]
        assert (lamp["room"], lamp["watts"]) == ("r1", 60)
        assert store.documents("lamp_rooms_v1")["r1"]["watts"] == 60


class TestReadStoreOutage:
    @pytest.mark.parametrize("took_effect", [False, True])
    async def test_the_batch_at_hand_is_repeated_until_it_is_through(self, took_effect):
        store, log = MemoryReadStore(), ScriptedLog(some(20).events, cuts=[7] * 9)
        if took_effect:
            store.after = outage(operations=40)
        else:
            store.before = outage(operations=40)
        await project_all(log, store)
        assert_folded(store, log)

    async def test_while_it_lasts_nothing_more_is_taken_from_the_log(self):
        store, log = MemoryReadStore(), ScriptedLog(some(20).events, cuts=[4] * 15)
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
        store, log = MemoryReadStore(), ScriptedLog(some(3).events)
        failures = iter(range(5))

        async def disk_full(operation: str, _collection: str) -> None:
            if operation == "write" and next(failures, None) is not None:
                raise ReadStoreRefused("no space left on device")

        store.before = disk_full
        await project_all(log, store)
        assert store.documents("parked_events") == {}
        assert_folded(store, log)


class TestOtherWriters:
    async def test_a_refused_insert_is_decided_again_on_what_the_store_holds(self):
        """A replay over documents that are already there: each is read, found to be newer, and left alone."""
        store, log = MemoryReadStore(), ScriptedLog(some(3).events)
        await project_all(log, store)
        before = store.documents("lamp_details_v1")
        forget_checkpoints(store)
        again = ScriptedLog(log.events, cuts=[1] * 9)
        await project_all(again, store)
        assert store.documents("lamp_details_v1") == before
        assert_folded(store, again)

    async def test_a_document_half_as_new_is_folded_on(self):
        log = some(1)
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events[:1]), store)
        forget_checkpoints(store)
        await project_all(ScriptedLog(log.events), store)
        assert_folded(store, ScriptedLog(log.events))

    async def test_a_writer_that_is_ahead_is_never_overwritten(self):
        log, store = some(1), MemoryReadStore()
        newer = {**fold_of(LAMP_DETAILS, log.events)[0]["l0"], "status": "from the future"}
        del newer["_id"], newer["_position"]
        await store.write("lamp_details_v1", [Write("l0", 10**6, newer)])
        await project_all(ScriptedLog(log.events, cuts=[1, 1, 1]), store, [LAMP_DETAILS])
        assert store.documents("lamp_details_v1")["l0"]["status"] == "from the future"
        assert checkpoint(store, LAMP_DETAILS) == log.events[-1].position


class TestStopping:
    async def test_the_batch_at_hand_is_finished_and_its_checkpoint_written(self):
        events, store = some(10).events, MemoryReadStore()
        log = ScriptedLog(events, cuts=[8, 4, 4])
        writing = asyncio.Event()

        async def tell(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", LAMP_DETAILS.collection):
                writing.set()

        store.before = tell
        async with engine_over(log, store):
            await writing.wait()
        reached = {view.name: checkpoint(store, view) for view in VIEWS}
        for view in VIEWS:
            position = reached[view.name]
            documents, _ = fold_of(view, [event for event in events if event.position <= position])
            assert store.documents(view.collection) == documents
        assert reached[LAMP_DETAILS.name] >= events[7].position

    @pytest.mark.parametrize("collection", ["lamp_details_v1", "checkpoints"])
    @pytest.mark.parametrize("operation", ["prepare", "write"])
    async def test_it_does_not_wait_for_a_store_that_is_away(self, operation, collection):
        store, log = MemoryReadStore(), ScriptedLog(some(3).events)
        failed = asyncio.Event()

        async def away(its_operation: str, its_collection: str) -> None:
            if (its_operation, its_collection) == (operation, collection):
                failed.set()
                raise ReadStoreUnavailable("away")

        store.before = away
        async with engine_over(log, store):
            await failed.wait()

    async def test_a_fault_of_our_own_starts_again_from_the_checkpoints(self):
        store, log = MemoryReadStore(), ScriptedLog(some(10).events, cuts=[5] * 6)
        failures = iter([False, False, True])

        async def bug(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", LAMP_ROOMS.collection) and next(failures, False):
                raise RuntimeError("a bug")

        store.after = bug
        await project_all(log, store)
        assert sizes(store, "load", "checkpoints").count(1) >= len(VIEWS) + 1, "that view read its checkpoint again"
        assert_folded(store, log)

    async def test_a_document_that_the_fold_deletes_leaves_a_tombstone(self):
        log = TinyLog(installed("l1", watts=500), switched_off("l1"))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store, [TOUCHY])
        position = log.events[-1].position
        assert store.documents("touchy_v3")["everybody"] == {"_id": "everybody", "_position": position, "_deleted": 1}
        assert_folded(store, ScriptedLog(log.events), [TOUCHY])
