"""The log under a consumer is replaced: it stops, says what is missing, and begins anew when it is told to."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from infrastructure.event_store import DELETED, StoredEvent
from subscriptions.operating.draining import OnOtherLog
from subscriptions.operating.replays import NoSuchConsumer
from subscriptions.operating.resetting import Beginning, Resetting
from tests.subscriptions.counting import Counter, assert_counted, lamps, parked, plain_count
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import RunningConsumers, all_done, consume_all, consuming
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.logs import TinyLog, installed, switched_on


def lit(lamps: int, since: Sequence[StoredEvent] = (), salt: str = "") -> list[StoredEvent]:
    """A log of so many lamps, each installed and switched on; those of `since` are left as they are."""
    log = TinyLog()
    for number in range(lamps):
        log.happen(installed(f"l{number}"), switched_on(f"l{number}"))
    return [*since, *(replace(one, id=one.id + salt) for one in log.events[len(since) :])]


async def stopped(engine: RunningConsumers) -> str:
    """Waits until the consumer has stopped; answers why."""
    async with asyncio.timeout(30):
        while not (engine.followers and engine.followers[0].broken):
            await asyncio.sleep(0.001)
    return str(engine.followers[0].broken)


def checkpoints(store: MemoryReadStore) -> dict[str, Any]:
    return {key: dict(one) for key, one in store.documents("checkpoints").items()}


class TestStops:
    @pytest.mark.parametrize("kept", [0, 3, 9])
    @pytest.mark.parametrize("grown", [False, True])
    async def test_at_the_start_and_writes_nothing(self, kept: int, grown: bool):
        store, before = MemoryReadStore(), lit(5)
        await consume_all(ScriptedLog(before), store, Counter(store))
        written = checkpoints(store), dict(store.documents("counter"))
        other = before[:kept] + (lit(20, before[:kept], "-new")[kept:] if grown else [])
        async with consuming(ScriptedLog(other), store, counter := Counter(store)) as engine:
            why = await stopped(engine)
            assert f"position {before[-1].position}" in why
            assert before[-1].id in why
            status = await engine.status()
            assert (status.state, status.trouble, status.lag_events) == ("other_log", why, None)
            with pytest.raises(OnOtherLog, match=before[-1].id):
                await engine.drained()
        assert counter.handled == []
        assert (checkpoints(store), dict(store.documents("counter"))) == written

    async def test_at_a_reconnection(self):
        store, before = MemoryReadStore(), lit(5)
        log = ScriptedLog(before)
        async with consuming(log, store, counter := Counter(store)) as engine:
            await all_done(log, engine, 1)
            done = list(counter.handled)
            log.away = True
            log.append()
            log.events = before[:4] + lit(20, before[:4], "-new")[4:]
            while log.subscribed_after and engine.coordinator.followers.reports()[0].state == "live":
                await asyncio.sleep(0)
            log.away = False
            assert before[-1].id in await stopped(engine)
        assert counter.handled == done

    async def test_while_nothing_comes(self):
        store, before = MemoryReadStore(), lit(5)
        log = ScriptedLog(before)
        async with consuming(log, store, Counter(store), idle_check=0.01) as engine:
            await all_done(log, engine, 1)
            log.events = before[:4]
            assert "the log ends before it" in await stopped(engine)

    async def test_where_something_is_new_below_what_was_read(self):
        """Only system events were lost with the restore; what is appended then has a position that was passed."""
        store, events = MemoryReadStore(), lit(2)
        log = ScriptedLog(events[:-1])
        async with consuming(log, store, Counter(store)) as engine:
            await all_done(log, engine, 1)
            log.advance(events[-1].position + 10)
            while engine.followers[0].position != events[-1].position + 10:
                await asyncio.sleep(0)
        async with consuming(ScriptedLog(events), store, Counter(store)) as engine:
            assert "is new, though everything" in await stopped(engine)

    async def test_it_goes_on_when_its_own_log_is_back(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("subscriptions.coordination.followers._BETWEEN_LOG_CHECKS", 0.01)
        store, before = MemoryReadStore(), lit(5)
        await consume_all(ScriptedLog(before), store, Counter(store))
        log = ScriptedLog(before[:4])
        async with consuming(log, store, Counter(store)) as engine:
            await stopped(engine)
            log.events = lit(8)
            async with asyncio.timeout(30):
                while not (engine.followers and engine.followers[0].position == log.end):
                    await asyncio.sleep(0)
        assert_counted(store, log.events, Counter(store))


class TestGoesOn:
    async def test_after_any_reconnection_to_the_same_log(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(20), cuts=[3, 0, 1, 0, 0, 4, 0, 2, 0])
        await consume_all(log, store, Counter(store))
        assert_counted(store, log.events, Counter(store))

    async def test_where_the_streams_at_its_checkpoint_were_scavenged(self):
        store, before = MemoryReadStore(), lit(5)
        await consume_all(ScriptedLog(before), store, Counter(store))
        after = [one for one in lit(8) if one.stream != before[-1].stream]
        log = ScriptedLog(after)
        log.stream_metadata = {before[-1].stream: DELETED}
        async with consuming(log, store, Counter(store)) as engine:
            await all_done(log, engine, 1)
            assert engine.followers[0].broken is None
        assert_counted(store, lit(8), Counter(store))

    async def test_with_a_checkpoint_of_an_older_release_that_gets_a_trail(self):
        store, before = MemoryReadStore(), lit(5)
        await consume_all(ScriptedLog(before), store, Counter(store))
        for one in store.documents("checkpoints").values():
            store.put("checkpoints", {key: value for key, value in one.items() if key != "anchors"})
        log = ScriptedLog(before)
        async with consuming(log, store, Counter(store)) as engine:
            async with asyncio.timeout(30):
                while not all(one.get("anchors") for one in store.documents("checkpoints").values()):
                    await asyncio.sleep(0)
            await all_done(log, engine, 1)
            assert log.subscribed_after == [before[-1].position]
            assert engine.followers[0].broken is None
        async with consuming(ScriptedLog(before[:4]), store, Counter(store)) as engine:
            assert before[-1].id in await stopped(engine)


class TestReset:
    @pytest.mark.parametrize(("beginning", "taken"), [("start", 12), ("common", 11), ("end", 2)])
    async def test_it_begins_anew(self, beginning: Beginning, taken: int):
        """The logs have two events in common, of which the first is known; the new one has eight more, and then two."""
        store, before = MemoryReadStore(), lit(5)
        refused = Counter(store, refuses=lamps("l3"))
        await consume_all(ScriptedLog(before), store, refused)
        assert parked(store), "there is a dead letter of the log that is gone"
        other = before[:2] + lit(6, before[:2], "-new")[2:]
        log = ScriptedLog(other[:10])
        async with consuming(log, store, counter := Counter(store)) as engine:
            await stopped(engine)
            resetting = Resetting(store, log, engine.coordinator.changed)
            with pytest.raises(NoSuchConsumer):
                await resetting.reset("nobody", beginning)
            await resetting.reset("counter", beginning)
            async with asyncio.timeout(30):
                while not (engine.followers and engine.followers[0].target == "counter_reset_1"):
                    await asyncio.sleep(0)
            log.append(*other[10:])
            await all_done(log, engine, 1)
            assert (await engine.status()).parked == 0
        expected = other[12 - taken :]
        assert [position for position, _ in counter.handled] == [one.position for one in expected]

    async def test_what_it_was_before_is_removed(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(5))
        async with consuming(log, store, Counter(store), consumer_lease=0.2) as engine:
            engine.workload._quiet = 0.0
            await all_done(log, engine, 1)
            await Resetting(store, log, engine.coordinator.changed).reset("counter", "end")
            async with asyncio.timeout(30):
                while store.documents("consumer_records")["counter"]["retired"] or not engine.followers:
                    await asyncio.sleep(0)
            targets = {one["target"] for name in ("checkpoints", "leases") for one in store.documents(name).values()}
        assert targets <= {"counter_reset_1"}


async def test_what_was_discarded_of_another_log_is_not_left_out():
    store, before = MemoryReadStore(), lit(3)
    log = ScriptedLog(before)
    async with consuming(log, store, Counter(store, refuses=lamps("l2"))) as engine:
        await all_done(log, engine, 1)
        await engine.dead_letters().discard("counter", before[-2].position, "a test")
    other = lit(3, before[:2], "-new")
    assert other[-2].position == before[-2].position
    log = ScriptedLog(other)
    async with consuming(log, store, counter := Counter(store)) as engine:
        await stopped(engine)
        await Resetting(store, log, engine.coordinator.changed).reset("counter", "start")
        async with asyncio.timeout(30):
            while not (engine.followers and engine.followers[0].target == "counter_reset_1"):
                await asyncio.sleep(0)
        await all_done(log, engine, 1)
    assert (other[-2].position, "l2") in counter.handled
    assert plain_count(counter, other)
