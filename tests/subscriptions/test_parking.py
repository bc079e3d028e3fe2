"""Poison: what can't be handled is set aside with all that follows it, and everything else goes on."""

import asyncio
from typing import Any

import pytest

from infrastructure.checkpoints import Target
from infrastructure.event_store import StoredEvent
from subscriptions.coordination.followers import FAILURE_LIMIT
from subscriptions.failures import text_failure
from subscriptions.parking.parked_events import readable
from subscriptions.parking.parking import Parking
from subscriptions.parking.set_aside import SetAside
from subscriptions.process import NotReady, consumers_run
from tests.subscriptions.counting import Counter, assert_counted, by_many, lamps, parked
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import all_done, consume_all, consuming
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.lamp import LampInstalled
from tests.support.tiny.logs import TinyLog, installed, switched_off, switched_on

TARGET = Target("counter", "counter", 1, 1)


class InstalledCounter(Counter):
    """Counts lamps as they are installed, and nothing else."""

    events = frozenset({LampInstalled})


def counts(store: MemoryReadStore, key: str, consumer: str = "counter") -> dict[str, int]:
    """What has been counted for a key."""
    found: dict[str, int] = store.documents(consumer)[key]["counts"]
    return found


def log_with(*raw: tuple[str, str, bytes]) -> TinyLog:
    """A lamp in front, then raw events, then the same lamp switched on."""
    log = TinyLog(installed("good"))
    for stream, event_type, data in raw:
        log.add_raw(stream, event_type, data)
    log.happen(switched_on("good"))
    return log


class TestStreams:
    @pytest.mark.parametrize(
        ("event_type", "data", "error"),
        [
            ("LampExploded", b"{}", "UnknownEventType"),
            ("LampSwitchedOn", b'{"lamp_id": 7}', "UndecodableEvent"),
            ("LampSwitchedOn", b"\xff\xfe\0", "UndecodableEvent"),
            ("LampInstalled", b"", "UndecodableEvent"),
        ],
    )
    async def test_an_event_that_nobody_can_decode_parks_its_stream_for_every_consumer(self, event_type, data, error):
        log = log_with(("lamp-bad", event_type, data))
        log.happen(switched_on("bad"))
        bad, after = log.events[1], log.events[-1]
        store = MemoryReadStore()
        everybody = [Counter(store), Counter(store, "other")]
        await consume_all(ScriptedLog(log.events), store, *everybody)
        assert {one["target"] for one in store.documents("parked_events").values()} == {"counter", "other"}
        first, second = parked(store)
        assert first["fault"] == int(first["fingerprint"], 16)
        assert second["fingerprint"] == first["fingerprint"], "it stands behind the first, so it is of the same group"
        told = {"parked_at": 0, "error": "", "fingerprint": "", "fault": 0, "place": "", "message": ""}
        assert first | told == {
            "_id": f"counter:{bad.position:020}",
            "_position": bad.position,
            "consumer": "counter",
            "target": "counter",
            "kind": "stream",
            "key": "lamp-bad",
            "first": 1,
            "stream": "lamp-bad",
            "revision": 0,
            "position": bad.position,
            "event": bad.id,
            "event_type": event_type,
            "error": "",
            "recorded_at": bad.recorded_at,
            "parked_at": 0,
            "data": readable(data),
            "metadata": "",
            "fingerprint": "",
            "fault": 0,
            "place": "",
            "message": "",
            "retries": 0,
            "retried_at": 0,
        }
        assert first["error"].startswith(error)
        assert (second["position"], second["first"]) == (after.position, 0)
        assert counts(store, "good") == {"LampInstalled": 1, "LampSwitchedOn": 1}
        assert_counted(store, log.events, *everybody)

    async def test_only_what_a_consumer_would_have_handled_is_parked_for_it(self):
        log = log_with(("lamp-bad", "LampExploded", b"{}"))
        log.happen(switched_on("bad"))
        store = MemoryReadStore()
        await consume_all(ScriptedLog(log.events), store, Counter(store), InstalledCounter(store, "other"))
        assert len(parked(store)) == 2
        assert len(parked(store, "other")) == 1, "it takes no LampSwitchedOn"

    async def test_a_stream_stays_parked_after_a_restart(self):
        log = log_with(("lamp-bad", "LampExploded", b"{}"))
        store = MemoryReadStore()
        everybody = [Counter(store), InstalledCounter(store, "other")]
        await consume_all(ScriptedLog(log.events), store, *everybody)
        log.happen(installed("bad"), switched_on("bad"))
        async with consuming(scripted := ScriptedLog(log.events), store, *everybody) as engine:
            await all_done(scripted, engine, 2)
            counted = {one.consumer.name: one.parking.count for one in engine.followers}
        assert [one["first"] for one in parked(store)] == [1, 0, 0]
        assert "bad" not in store.documents("counter")
        assert counted == {"counter": 3, "other": 2}

    async def test_events_before_the_poison_are_handled_also_when_they_come_again(self):
        log = TinyLog(installed("l1"), switched_on("l1"))
        log.add_raw("lamp-l1", "LampExploded", b"{}")
        log.happen(switched_off("l1"))
        store = MemoryReadStore()
        await consume_all(ScriptedLog(log.events), store, Counter(store))
        del store.collections["checkpoints"]
        del store.collections["counter"]
        await consume_all(ScriptedLog(log.events, cuts=[1] * 4), store, Counter(store))
        assert counts(store, "l1") == {"LampInstalled": 1, "LampSwitchedOn": 1}
        assert len(parked(store)) == 2

    async def test_keys_that_raise_park_the_stream_for_that_consumer(self):
        def keys(event: Any) -> tuple[str, ...]:
            raise LookupError("which room?")

        log, store = TinyLog(installed("l1")), MemoryReadStore()
        await consume_all(ScriptedLog(log.events), store, Counter(store, keys=keys), Counter(store, "other"))
        (one,) = parked(store)
        assert (one["kind"], one["key"], one["error"]) == ("stream", "lamp-l1", "LookupError: which room?")
        assert parked(store, "other") == []


class TestKeys:
    async def test_an_event_that_fails_is_tried_again_then_parked_with_every_later_one_of_its_key(self):
        log = TinyLog(installed("l1"), installed("l2"), switched_on("l1"), switched_on("l2"), switched_off("l1"))
        store = MemoryReadStore()
        counter = Counter(store, refuses=lamps("l1"), attempts=4)
        await consume_all(ScriptedLog(log.events), store, counter)
        first = log.events[0].position
        assert [position for position, key in counter.handled if key == "l1"] == [first] * 4, "none behind it is tried"
        found = parked(store)
        assert [(one["position"], one["first"]) for one in found] == [
            (first, 1),
            (log.events[2].position, 0),
            (log.events[4].position, 0),
        ]
        assert {(one["kind"], one["key"]) for one in found} == {("key", "l1")}
        assert [one["error"] for one in found] == [
            "ZeroDivisionError: no sums today for l1",
            "stands behind an event that is parked",
            "stands behind an event that is parked",
        ]
        assert found[0]["data"].startswith('{"lamp_id":"l1"')
        assert counts(store, "l2") == {"LampInstalled": 1, "LampSwitchedOn": 1}
        assert_counted(store, log.events, counter)

    async def test_one_of_several_keys_is_parked_alone(self):
        log = TinyLog(installed("l1"), installed("l2"), switched_on("l1"))
        store = MemoryReadStore()
        counter = Counter(store, keys=by_many, refuses=lambda _event, key: key == "everybody")
        await consume_all(ScriptedLog(log.events), store, counter)
        assert [(one["key"], one["first"]) for one in parked(store)] == [
            ("everybody", 1),
            ("everybody", 0),
            ("everybody", 0),
        ]
        assert set(store.documents("counter")) == {"l1", "l2", "group 1", "group 2"}
        assert counts(store, "l1") == {"LampInstalled": 1, "LampSwitchedOn": 1}

    async def test_a_key_stays_parked_after_a_restart(self):
        log, store = TinyLog(installed("l1"), installed("l2")), MemoryReadStore()
        await consume_all(ScriptedLog(log.events), store, Counter(store, refuses=lamps("l1")))
        log.happen(switched_on("l1"), switched_on("l2"))
        mended = Counter(store)
        await consume_all(ScriptedLog(log.events), store, mended)
        assert [key for _, key in mended.handled] == ["l2"]
        assert [one["first"] for one in parked(store)] == [1, 0]

    async def test_nothing_is_parked_twice(self):
        log, store = TinyLog(installed("l1"), switched_on("l1")), MemoryReadStore()
        counter = Counter(store, refuses=lamps("l1"))
        await consume_all(ScriptedLog(log.events), store, counter)
        before = store.documents("parked_events")
        del store.collections["checkpoints"]
        async with consuming(scripted := ScriptedLog(log.events), store, counter) as engine:
            await all_done(scripted, engine, 1)
            assert engine.followers[0].parking.count == 2
        assert store.documents("parked_events") == before

    async def test_an_event_that_is_behind_for_one_key_can_be_the_first_for_another(self):
        parking = Parking(TARGET, 100)
        batch = SetAside(parking)
        first, second = log_with().events
        batch.key(first, "a", text_failure("no", first))
        batch.key_behind(second, "a")
        batch.key(second, "b", text_failure("no", second))
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
        log, store = TinyLog(), MemoryReadStore()
        for number in range(10):
            log.add_raw(f"lamp-{number}", "LampExploded", b"{}")
        await consume_all(ScriptedLog(log.events), store, Counter(store))
        parking = Parking(TARGET, 100)
        await parking.load(store)
        assert all(parking.is_stream_parked(event.stream, event.position) for event in log.events)
        assert parking.count == 10


class TestConsumerWideFault:
    def lamps(self, number: int) -> list[StoredEvent]:
        return TinyLog(*(installed(f"l{lamp}") for lamp in range(number))).events

    async def test_one_that_fails_for_everything_is_stopped_and_the_others_go_on(self):
        events, store = self.lamps(150), MemoryReadStore()
        log = ScriptedLog(events, cuts=[50, 60])
        broken = Counter(store, refuses=lambda _event, _key: True, attempts=1)
        async with consuming(log, store, broken, healthy := Counter(store, "other")) as engine:
            await all_done(log, engine, 2)
            assert f"failed for {FAILURE_LIMIT} keys in a row" in engine.follower("counter").broken
            assert len(broken.handled) == FAILURE_LIMIT
            assert engine.follower("other").broken is None
            assert engine.follower("other").position == events[-1].position
            while {one.state for one in engine.coordinator.followers.reports()} != {"stopped", "live"}:
                await asyncio.sleep(0)
            status = await engine.status()
            assert (status.name, status.state) == ("counter", "stopped")
            assert f"failed for {FAILURE_LIMIT} keys" in status.trouble
            with pytest.raises(NotReady, match="counter is stopped: counter failed for 100 keys"):
                await consumers_run(engine.coordinator)()
            assert await engine.drained() == log.end, "it is not waited for"
        position = store.documents("checkpoints").get("counter:1:0", {"_position": -1})["_position"]
        assert position in (-1, events[49].position)
        assert len(parked(store)) in (0, 50), "what the last batch came to is not kept"
        assert_counted(store, events, healthy)

    async def test_with_every_consumer_stopped_the_log_is_left_alone(self):
        store, log = MemoryReadStore(), ScriptedLog(self.lamps(150), cuts=[100])
        broken = Counter(store, refuses=lambda _event, _key: True, attempts=1)
        async with consuming(log, store, broken) as engine:
            while not (engine.followers and engine.followers[0].broken):
                await asyncio.sleep(0)
            while engine.coordinator.followers.reports()[0].state != "stopped":
                await asyncio.sleep(0)
        assert log.subscribed_after == [None]

    async def test_keys_that_always_raise_stop_it_too(self):
        def keys(event: Any) -> tuple[str, ...]:
            raise LookupError("which?")

        store, log = MemoryReadStore(), ScriptedLog(self.lamps(120))
        async with consuming(log, store, Counter(store, keys=keys), other := Counter(store, "other")) as engine:
            await all_done(log, engine, 2)
            assert "LookupError" in engine.follower("counter").broken
        assert_counted(store, log.events, other)

    async def test_a_run_of_failures_ends_with_a_success(self):
        store, log = MemoryReadStore(), ScriptedLog(self.lamps(150))
        counter = Counter(store, refuses=lamps(*(f"l{n}" for n in range(150) if n != 75)), attempts=1)
        async with consuming(log, store, counter) as engine:
            await all_done(log, engine, 1)
            assert engine.followers[0].broken is None
        assert len(parked(store)) == 149

    async def test_after_a_new_release_it_goes_on_where_it_stopped(self):
        store, log = MemoryReadStore(), ScriptedLog(self.lamps(150))
        await consume_all(log, store, Counter(store, refuses=lambda _event, _key: True, attempts=1))
        assert store.documents("counter") == {}
        again = ScriptedLog(log.events)
        await consume_all(again, store, mended := Counter(store))
        assert_counted(store, log.events, mended)


def test_text_that_every_store_can_hold():
    assert readable(b"plain") == "plain"
    assert readable(b"\xff\0\xc3\xa4") == "\\xff\\x00ä"
    assert readable("\ud800") == "\\ud800"
    assert readable("x" * 70_000).endswith("... (70000 bytes)")
    assert len(readable("ä" * 70_000)) < 66_000
