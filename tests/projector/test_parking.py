"""Poison: what can't be folded is set aside with all that follows it, and everything else goes on."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from infrastructure.checkpoints import Target
from infrastructure.event_store import StoredEvent
from read_models.model.view import View
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from read_models.ordering.daily_sales import DAILY_SALES
from read_models.ordering.order_details import ORDER_DETAILS
from subscriptions.parking.parked_events import readable
from subscriptions.parking.parking import Parking
from subscriptions.parking.set_aside import SetAside
from tests.projector.logs import LogBuilder, confirmed, created, delivered, shipped
from tests.projector.running import all_done, assert_folded, engine_over, project_all, projection_of
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import VIEWS

TARGET = Target("order_details", "order_details_v1", 1, 1)
ALL = {view.collection for view in VIEWS}


def parked(store: MemoryReadStore, collection: str = "order_details_v1") -> list[dict[str, Any]]:
    """What is parked for a view, in order of position."""
    found = [one for one in store.documents("parked_events").values() if one["target"] == collection]
    return sorted(found, key=lambda one: one["position"])


def failing(view: View, *orders: str) -> View:
    """The same view with a fold that raises for these orders."""

    def fold(document: Any, recorded: Any) -> Any:
        if recorded.event.order_id in orders:
            raise ZeroDivisionError(f"no sums today for {recorded.event.order_id}")
        return view.fold(document, recorded)

    return msgspec.structs.replace(view, fold=fold)


async def fault_of(view: View, events: list[StoredEvent], store: MemoryReadStore, views: Sequence[View]) -> str | None:
    """Why the view was stopped over a log, if it was."""
    log = ScriptedLog(events)
    async with engine_over(log, store, views) as engine:
        await all_done(log, engine, len(views))
        return projection_of(engine, view).broken


def log_with(*raw: tuple[str, str, bytes]) -> LogBuilder:
    """An order in front, then raw events, then the same order moved on."""
    log = LogBuilder()
    log.add("order-good", created("good"))
    for stream, event_type, data in raw:
        log.add_raw(stream, event_type, data)
    log.add("order-good", confirmed("good"))
    return log


class TestStreams:
    @pytest.mark.parametrize(
        ("event_type", "data", "error"),
        [
            ("OrderTeleported", b"{}", "UnknownEventType"),
            ("OrderConfirmed", b'{"order_id": 7}', "UndecodableEvent"),
            ("OrderConfirmed", b"\xff\xfe\0", "UndecodableEvent"),
            ("OrderCreated", b"", "UndecodableEvent"),
        ],
    )
    async def test_an_event_that_nobody_can_decode_parks_its_stream_for_every_view(self, event_type, data, error):
        log = log_with(("order-bad", event_type, data))
        bad, after = log.events[1], log.add("order-bad", confirmed("bad"))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert {one["target"] for one in store.documents("parked_events").values()} == ALL
        first, second = parked(store)
        assert first | {"parked_at": 0, "error": ""} == {
            "_id": f"order_details_v1:{bad.position:020}",
            "_position": bad.position,
            "consumer": "order_details",
            "target": "order_details_v1",
            "kind": "stream",
            "key": "order-bad",
            "first": 1,
            "stream": "order-bad",
            "revision": 0,
            "position": bad.position,
            "event_type": event_type,
            "error": "",
            "recorded_at": bad.recorded_at,
            "parked_at": 0,
            "data": readable(data),
            "metadata": "",
        }
        assert first["error"].startswith(error)
        assert (second["position"], second["first"]) == (after.position, 0)
        assert store.documents("order_details_v1")["good"]["status"] == "confirmed"
        assert_folded(store, ScriptedLog(log.events))

    async def test_only_what_a_view_would_have_folded_is_parked_for_it(self):
        log = log_with(("order-bad", "OrderTeleported", b"{}"))
        log.add("order-bad", confirmed("bad"))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        assert len(parked(store, CUSTOMER_SUMMARY.collection)) == 1, "it takes no OrderConfirmed"

    async def test_a_stream_stays_parked_after_a_restart(self):
        log = log_with(("order-bad", "OrderTeleported", b"{}"))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        log.add("order-bad", created("bad"))
        log.add("order-bad", confirmed("bad"))
        async with engine_over(scripted := ScriptedLog(log.events), store) as engine:
            await all_done(scripted, engine, len(VIEWS))
            counts = {one.consumer.name: one.parking.count for one in engine.followers}
        assert [one["first"] for one in parked(store)] == [1, 0, 0]
        assert "bad" not in store.documents("order_details_v1")
        assert counts == {
            "order_details": 3,
            "order_list": 3,
            "customer_summary": 2,
            "daily_sales": 2,
        }

    async def test_events_before_the_poison_are_folded_also_when_they_are_replayed(self):
        log = LogBuilder()
        log.add("order-o1", created("o1"))
        log.add("order-o1", confirmed("o1"))
        log.add_raw("order-o1", "OrderTeleported", b"{}")
        log.add("order-o1", shipped("o1"))
        store = MemoryReadStore()
        await project_all(ScriptedLog(log.events), store)
        del store.collections["checkpoints"]
        del store.collections["order_details_v1"]
        await project_all(ScriptedLog(log.events, cuts=[1] * 4), store)
        assert store.documents("order_details_v1")["o1"]["status"] == "confirmed"
        assert len(parked(store)) == 2

    async def test_keys_that_raise_park_the_stream_for_that_view(self):
        def keys(event: Any) -> tuple[str, ...]:
            raise LookupError("which customer?")

        view = msgspec.structs.replace(CUSTOMER_SUMMARY, keys=keys)
        log, store = log_with(), MemoryReadStore()
        await project_all(ScriptedLog(log.events), store, [view, ORDER_DETAILS])
        (one,) = parked(store, "customer_summary_v1")
        assert (one["kind"], one["key"], one["error"]) == ("stream", "order-good", "LookupError: which customer?")
        assert parked(store) == []


class TestDocuments:
    async def test_a_fold_that_raises_parks_that_document_of_that_view(self):
        log = LogBuilder()
        for event in (created("o1"), created("o2"), confirmed("o1"), confirmed("o2"), shipped("o1"), delivered("o1")):
            log.add(f"order-{event.order_id}", event)
        store = MemoryReadStore()
        views = [failing(ORDER_DETAILS, "o1"), CUSTOMER_SUMMARY]
        await project_all(ScriptedLog(log.events), store, views)
        found = parked(store)
        assert [one["event_type"] for one in found] == [
            "OrderCreated",
            "OrderConfirmed",
            "OrderShipped",
            "OrderDelivered",
        ]
        assert {(one["kind"], one["key"]) for one in found} == {("key", "o1")}
        assert [one["first"] for one in found] == [1, 0, 0, 0]
        assert found[0]["error"] == "ZeroDivisionError: no sums today for o1"
        assert found[0]["data"].startswith('{"order_id":"o1"')
        assert parked(store, "customer_summary_v1") == []
        assert_folded(store, ScriptedLog(log.events), views)

    async def test_a_document_stays_as_it_was_before_the_poison(self):
        log, store = LogBuilder(), MemoryReadStore()
        log.add("order-o1", created("o1", "c1"))
        log.add("order-o2", created("o2", "c1"))
        log.add("order-o3", created("o3", "c1"))
        views = [failing(CUSTOMER_SUMMARY, "o2")]
        await project_all(ScriptedLog(log.events), store, views)
        summary = store.documents("customer_summary_v1")["c1"]
        assert (summary["orders"], summary["_position"]) == (1, log.events[0].position)
        assert [one["key"] for one in parked(store, "customer_summary_v1")] == ["c1", "c1"]

    async def test_nothing_is_parked_twice_by_a_replay(self):
        log, store, views = log_with(), MemoryReadStore(), [failing(ORDER_DETAILS, "good")]
        await project_all(ScriptedLog(log.events), store, views)
        before = store.documents("parked_events")
        del store.collections["checkpoints"]
        async with engine_over(scripted := ScriptedLog(log.events), store, views) as engine:
            await all_done(scripted, engine, 1)
            assert engine.followers[0].parking.count == 2
        assert store.documents("parked_events") == before

    async def test_a_document_that_no_store_can_hold_is_parked_and_the_others_are_written(self):
        huge = replace(created("o2", day=1), total=2**63)
        log, store = LogBuilder(), MemoryReadStore()
        for event in (created("o1"), huge, created("o3", day=2), confirmed("o2"), confirmed("o3")):
            log.add(f"order-{event.order_id}", event)
        await project_all(ScriptedLog(log.events), store, [ORDER_DETAILS, DAILY_SALES])
        assert set(store.documents("order_details_v1")) == {"o1", "o3"}
        assert store.documents("order_details_v1")["o3"]["status"] == "confirmed"
        assert [(one["key"], one["event_type"], one["first"]) for one in parked(store)] == [
            ("o2", "OrderCreated", 1),
            ("o2", "OrderConfirmed", 0),
        ]
        assert "8-byte" in parked(store)[0]["error"]
        assert set(store.documents("daily_sales_v1")) == {"2026-03-14", "2026-03-16"}

    async def test_an_event_that_is_behind_for_one_key_can_be_the_first_for_another(self):
        parking = Parking(TARGET, 100)
        batch = SetAside(parking)
        first, second = log_with().events
        batch.key(first, "a", "no")
        batch.key(second, "a", "behind")
        batch.key(second, "b", "no")
        told = [(one.key, one.position, one.first) for one in batch.events()]
        assert told == [("a", first.position, 1), ("a", second.position, 0), ("b", second.position, 1)]
        store = MemoryReadStore()
        await batch.record(store)
        restarted = Parking(TARGET, 100)
        await restarted.load(store)
        for one in (parking, restarted):
            assert one.is_key_parked("a", first.position)
            assert not one.is_key_parked("b", first.position)
            assert one.is_key_parked("b", second.position)

    async def test_more_parked_keys_than_a_page_are_read_back(self, monkeypatch):
        monkeypatch.setattr("subscriptions.store.scan.PAGE", 3)
        log, store = LogBuilder(), MemoryReadStore()
        for number in range(10):
            log.add_raw(f"order-{number}", "OrderTeleported", b"{}")
        await project_all(ScriptedLog(log.events), store)
        parking = Parking(TARGET, 100)
        await parking.load(store)
        assert all(parking.is_stream_parked(event.stream, event.position) for event in log.events)
        assert parking.count == 10


class TestViewWideFault:
    def orders(self, number: int) -> list[StoredEvent]:
        log = LogBuilder()
        for order in range(number):
            log.add(f"order-o{order}", created(f"o{order}"))
        return log.events

    async def test_a_view_that_fails_for_everything_is_stopped_and_the_others_go_on(self):
        events, store = self.orders(150), MemoryReadStore()
        log = ScriptedLog(events, cuts=[50, 60])
        views = [failing(ORDER_DETAILS, *(f"o{n}" for n in range(1000))), CUSTOMER_SUMMARY]
        async with engine_over(log, store, views) as engine:
            await all_done(log, engine, 2)
            broken, healthy = projection_of(engine, views[0]), projection_of(engine, views[1])
            assert "failed for 100 keys in a row" in broken.broken
            assert healthy.broken is None
            assert healthy.position == events[-1].position
        position = store.documents("checkpoints").get("order_details_v1:1:0", {"_position": -1})["_position"]
        assert position in (-1, events[49].position)
        assert len(parked(store)) in (0, 50), "what the last batch came to is not kept"
        assert store.documents("customer_summary_v1")["c1"]["orders"] == 150

    async def test_with_every_view_stopped_the_log_is_left_alone(self):
        events, store = self.orders(150), MemoryReadStore()
        log = ScriptedLog(events, cuts=[100])
        async with engine_over(log, store, [failing(ORDER_DETAILS, *(f"o{n}" for n in range(1000)))]) as engine:
            while not (engine.followers and engine.followers[0].broken):
                await asyncio.sleep(0)
            while engine.coordinator.followers.reports()[0].state != "stopped":
                await asyncio.sleep(0)
        assert log.subscribed_after == [None]

    async def test_keys_that_always_raise_stop_the_view_too(self):
        def keys(event: Any) -> tuple[str, ...]:
            raise LookupError("which?")

        store = MemoryReadStore()
        view = msgspec.structs.replace(ORDER_DETAILS, keys=keys)
        assert "LookupError" in await fault_of(view, self.orders(120), store, [view, CUSTOMER_SUMMARY])
        assert store.documents("customer_summary_v1")["c1"]["orders"] == 120

    async def test_a_view_none_of_whose_documents_can_be_stored_is_stopped(self):
        log, store = LogBuilder(), MemoryReadStore()
        for order in range(120):
            log.add(f"order-o{order}", replace(created(f"o{order}"), total=2**63))
        fault = await fault_of(ORDER_DETAILS, log.events, store, [ORDER_DETAILS])
        assert "none of 120 documents can be stored" in fault
        assert parked(store) == []

    async def test_a_run_of_failures_ends_with_a_success(self):
        events, store = self.orders(150), MemoryReadStore()
        views = [failing(ORDER_DETAILS, *(f"o{n}" for n in range(150) if n != 75))]
        assert await fault_of(views[0], events, store, views) is None
        assert len(parked(store)) == 149

    async def test_after_a_new_release_it_goes_on_where_it_stopped(self):
        events, store = self.orders(150), MemoryReadStore()
        await project_all(ScriptedLog(events), store, [failing(ORDER_DETAILS, *(f"o{n}" for n in range(150)))])
        assert store.collections.get("order_details_v1") is None
        log = ScriptedLog(events)
        await project_all(log, store, [ORDER_DETAILS])
        assert_folded(store, log, [ORDER_DETAILS])

    async def test_a_stored_document_of_another_shape_stops_the_view(self):
        events, store = self.orders(1), MemoryReadStore()
        log = LogBuilder()
        log.add("order-o0", created("o0"))
        await project_all(ScriptedLog(log.events), store, [CUSTOMER_SUMMARY])
        store.collections["order_details_v1"] = store.collections["customer_summary_v1"] | {
            "o0": store.collections["customer_summary_v1"]["c1"]
        }
        log.add("order-o0", confirmed("o0"))
        fault = await fault_of(ORDER_DETAILS, log.events[1:], store, [ORDER_DETAILS])
        assert "document o0 of order_details_v1 can't be read" in fault
        assert events


def test_text_that_every_store_can_hold():
    assert readable(b"plain") == "plain"
    assert readable(b"\xff\0\xc3\xa4") == "\\xff\\x00ä"
    assert readable("\ud800") == "\\ud800"
    assert readable("x" * 70_000).endswith("... (70000 bytes)")
    assert len(readable("ä" * 70_000)) < 66_000
