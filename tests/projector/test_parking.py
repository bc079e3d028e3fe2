"""Poison: what can't be folded is set aside with all that follows it, and everything else goes on."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from infrastructure.event_store import StoredEvent
from read_models.model.view import View
from tests.projector.lamp_rooms import LAMP_ROOMS
from tests.projector.running import assert_folded, engine_over, project_all, projection_of
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import all_done
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS
from tests.support.tiny.logs import TinyLog, installed, switched_off, switched_on


def parked(store: MemoryReadStore, collection: str = "lamp_details_v1") -> list[dict[str, Any]]:
    """What is parked for a view, in order of position."""
    found = [one for one in store.documents("parked_events").values() if one["target"] == collection]
    return sorted(found, key=lambda one: one["position"])


def failing(view: View, *lamps: str) -> View:
    """The same view with a fold that raises for these lamps."""

    def fold(document: Any, recorded: Any) -> Any:
        if recorded.event.lamp_id in lamps:
            raise ZeroDivisionError(f"no sums today for {recorded.event.lamp_id}")
        return view.fold(document, recorded)

    return msgspec.structs.replace(view, fold=fold)


async def fault_of(view: View, events: list[StoredEvent], store: MemoryReadStore, views: Sequence[View]) -> str | None:
    """Why the view was stopped over a log, if it was."""
    log = ScriptedLog(events)
    async with engine_over(log, store, views) as engine:
        await all_done(log, engine, len(views))
        return projection_of(engine, view).broken


class TestDocuments:
    async def test_a_fold_that_raises_parks_that_document_of_that_view(self):
        log = TinyLog(installed("l1"), installed("l2"), switched_on("l1"), switched_on("l2"), switched_off("l1"))
        log.happen(switched_on("l1"))
        store = MemoryReadStore()
        views = [failing(LAMP_DETAILS, "l1"), LAMP_ROOMS]
        await project_all(ScriptedLog(log.events), store, views)
        found = parked(store)
        assert [one["event_type"] for one in found] == [
            "LampInstalled",
            "LampSwitchedOn",
            "LampSwitchedOff",
            "LampSwitchedOn",
        ]
        assert {(one["kind"], one["key"]) for one in found} == {("key", "l1")}
        assert [one["first"] for one in found] == [1, 0, 0, 0]
        assert found[0]["error"] == "ZeroDivisionError: no sums today for l1"
        assert found[0]["data"].startswith('{"lamp_id":"l1"')
        assert parked(store, "lamp_rooms_v1") == []
        assert_folded(store, ScriptedLog(log.events), views)

    async def test_a_document_stays_as_it_was_before_the_poison(self):
        log, store = TinyLog(installed("l1"), installed("l2"), installed("l3")), MemoryReadStore()
        views = [failing(LAMP_ROOMS, "l2")]
        await project_all(ScriptedLog(log.events), store, views)
        room = store.documents("lamp_rooms_v1")["r1"]
        assert (room["lamps"], room["_position"]) == (1, log.events[0].position)
        assert [one["key"] for one in parked(store, "lamp_rooms_v1")] == ["r1", "r1"]

    async def test_nothing_is_parked_twice_by_a_replay(self):
        log, store = TinyLog(installed("l1"), switched_on("l1")), MemoryReadStore()
        views = [failing(LAMP_DETAILS, "l1")]
        await project_all(ScriptedLog(log.events), store, views)
        before = store.documents("parked_events")
        del store.collections["checkpoints"]
        async with engine_over(scripted := ScriptedLog(log.events), store, views) as engine:
            await all_done(scripted, engine, 1)
            assert engine.followers[0].parking.count == 2
        assert store.documents("parked_events") == before

    async def test_a_document_that_no_store_can_hold_is_parked_and_the_others_are_written(self):
        huge = installed("l2", "r2", watts=2**63)
        log, store = TinyLog(installed("l1"), huge, installed("l3", "r3")), MemoryReadStore()
        log.happen(switched_on("l2"), switched_on("l3"))
        await project_all(ScriptedLog(log.events), store, [LAMP_DETAILS, LAMP_ROOMS])
        assert set(store.documents("lamp_details_v1")) == {"l1", "l3"}
        assert store.documents("lamp_details_v1")["l3"]["status"] == "on"
        assert [(one["key"], one["event_type"], one["first"]) for one in parked(store)] == [
            ("l2", "LampInstalled", 1),
            ("l2", "LampSwitchedOn", 0),
        ]
        assert "8-byte" in parked(store)[0]["error"]
        assert set(store.documents("lamp_rooms_v1")) == {"r1", "r3"}


class TestViewWideFault:
    def lamps(self, number: int) -> list[StoredEvent]:
        return TinyLog(*(installed(f"l{lamp}") for lamp in range(number))).events

    async def test_a_view_that_fails_for_everything_is_stopped_and_the_others_go_on(self):
        events, store = self.lamps(150), MemoryReadStore()
        log = ScriptedLog(events, cuts=[50, 60])
        views = [failing(LAMP_DETAILS, *(f"l{n}" for n in range(1000))), LAMP_ROOMS]
        async with engine_over(log, store, views) as engine:
            await all_done(log, engine, 2)
            broken, healthy = projection_of(engine, views[0]), projection_of(engine, views[1])
            assert "failed for 100 keys in a row" in broken.broken
            assert healthy.broken is None
            assert healthy.position == events[-1].position
        position = store.documents("checkpoints").get("lamp_details_v1:1:0", {"_position": -1})["_position"]
        assert position in (-1, events[49].position)
        assert len(parked(store)) in (0, 50), "what the last batch came to is not kept"
        assert store.documents("lamp_rooms_v1")["r1"]["lamps"] == 150

    async def test_with_every_view_stopped_the_log_is_left_alone(self):
        events, store = self.lamps(150), MemoryReadStore()
        log = ScriptedLog(events, cuts=[100])
        async with engine_over(log, store, [failing(LAMP_DETAILS, *(f"l{n}" for n in range(1000)))]) as engine:
            while not (engine.followers and engine.followers[0].broken):
                await asyncio.sleep(0)
            while engine.coordinator.followers.reports()[0].state != "stopped":
                await asyncio.sleep(0)
        assert log.subscribed_after == [None]

    async def test_keys_that_always_raise_stop_the_view_too(self):
        def keys(event: Any) -> tuple[str, ...]:
            raise LookupError("which?")

        store = MemoryReadStore()
        view = msgspec.structs.replace(LAMP_DETAILS, keys=keys)
        assert "LookupError" in await fault_of(view, self.lamps(120), store, [view, LAMP_ROOMS])
        assert store.documents("lamp_rooms_v1")["r1"]["lamps"] == 120

    async def test_a_view_none_of_whose_documents_can_be_stored_is_stopped(self):
        log = TinyLog(*(installed(f"l{lamp}", watts=2**63) for lamp in range(120)))
        store = MemoryReadStore()
        fault = await fault_of(LAMP_DETAILS, log.events, store, [LAMP_DETAILS])
        assert "none of 120 documents can be stored" in fault
        assert parked(store) == []

    async def test_a_run_of_failures_ends_with_a_success(self):
        events, store = self.lamps(150), MemoryReadStore()
        views = [failing(LAMP_DETAILS, *(f"l{n}" for n in range(150) if n != 75))]
        assert await fault_of(views[0], events, store, views) is None
        assert len(parked(store)) == 149

    async def test_after_a_new_release_it_goes_on_where_it_stopped(self):
        events, store = self.lamps(150), MemoryReadStore()
        await project_all(ScriptedLog(events), store, [failing(LAMP_DETAILS, *(f"l{n}" for n in range(150)))])
        assert store.collections.get("lamp_details_v1") is None
        log = ScriptedLog(events)
        await project_all(log, store, [LAMP_DETAILS])
        assert_folded(store, log, [LAMP_DETAILS])

    async def test_a_stored_document_of_another_shape_stops_the_view(self):
        log, store = TinyLog(installed("l0")), MemoryReadStore()
        await project_all(ScriptedLog(log.events), store, [LAMP_ROOMS])
        store.collections["lamp_details_v1"] = store.collections["lamp_rooms_v1"] | {
            "l0": store.collections["lamp_rooms_v1"]["r1"]
        }
        log.happen(switched_on("l0"))
        fault = await fault_of(LAMP_DETAILS, log.events[1:], store, [LAMP_DETAILS])
        assert "document l0 of lamp_details_v1 can't be read" in fault
