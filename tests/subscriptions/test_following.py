"""How a consumer follows the log: where it begins, where it goes on, what is written, what is waited for."""

import asyncio
from collections.abc import Sequence

import pytest

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import ReadStoreRefused
from tests.subscriptions.counting import Counter, assert_counted, lamps, plain_count
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.mishaps import end_of_the_process
from tests.subscriptions.running import all_done, consume_all, consuming, process_of
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.logs import TinyLog, installed, switched_on

NAMES = ("counter", "other", "third")


def lit(number: int) -> Sequence[StoredEvent]:
    """So many lamps are installed and switched on, one after another."""
    log = TinyLog()
    for lamp in range(number):
        log.happen(installed(f"l{lamp}"), switched_on(f"l{lamp}"))
    return log.events


def counters(store: MemoryReadStore) -> list[Counter]:
    """Three of them, that have nothing to do with one another."""
    return [Counter(store, name) for name in NAMES]


def checkpoint(store: MemoryReadStore, consumer: str = "counter") -> int:
    return store.documents("checkpoints")[f"{consumer}:1:0"]["_position"]


def upto(log: ScriptedLog, position: int) -> Sequence[StoredEvent]:
    """The events of a log up to a position."""
    return [event for event in log.events if event.position <= position]


def sizes(store: MemoryReadStore, operation: str, collection: str) -> list[int]:
    """How many documents each operation of a kind was about."""
    return [size for name, where, size in store.operations if (name, where) == (operation, collection)]


class TestStarting:
    async def test_a_new_one_starts_at_the_beginning(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(5))
        await consume_all(log, store, counter := Counter(store))
        assert log.subscribed_after == [None]
        assert [position for position, _ in counter.handled] == [event.position for event in log.events]
        assert_counted(store, log.events, counter)

    async def test_after_a_crash_it_goes_on_where_it_was(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(5), cuts=[4])
        reached = asyncio.Event()

        async def sixth_event(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "counter") and len(sizes(store, "write", "counter")) == 6:
                async with asyncio.timeout(60):
                    while store.documents("checkpoints") == {}:
                        await asyncio.sleep(0)
                reached.set()
                await asyncio.Event().wait()

        store.after = sixth_event
        first = process_of(log, store, [Counter(store)], asyncio.Event(), consumer_name="p")
        running = asyncio.create_task(first.coordinator.run())
        await asyncio.wait_for(reached.wait(), 10)
        assert not running.done()
        await end_of_the_process(store)

        assert checkpoint(store) == log.events[3].position
        again = ScriptedLog(log.events)
        await consume_all(again, store, counter := Counter(store), consumer_name="p")
        assert again.subscribed_after == [log.events[3].position]
        assert [position for position, _ in counter.handled] == [event.position for event in log.events[4:]]
        assert_counted(store, log.events, counter)

    async def test_each_goes_on_from_its_own_checkpoint(self):
        events, store = lit(5), MemoryReadStore()
        await consume_all(ScriptedLog(events[:6]), store, Counter(store))
        log = ScriptedLog(events)
        old, *new = all_three = counters(store)
        await consume_all(log, store, *all_three)
        assert log.subscribed_after == [None], "the new ones begin at the first event"
        assert [position for position, _ in old.handled] == [event.position for event in events[6:]]
        assert {len(one.handled) for one in new} == {10}
        assert_counted(store, events, *all_three)

    async def test_all_at_the_end_subscribe_after_the_lowest_checkpoint(self):
        events, store = lit(5), MemoryReadStore()
        await consume_all(ScriptedLog(events[:4]), store, *counters(store))
        await consume_all(ScriptedLog(events[:8]), store, *counters(store)[:1])
        log = ScriptedLog(events)
        await consume_all(log, store, *(all_three := counters(store)))
        assert log.subscribed_after == [events[3].position]
        assert_counted(store, events, *all_three)

    async def test_the_stores_may_be_away_at_the_start(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(2))
        store.before, log.away = outage(operations=5), True
        async with consuming(log, store, *(all_three := counters(store))) as engine:
            while engine.trouble is None:
                await asyncio.sleep(0)
            log.away = False
            await all_done(log, engine, 3)
        assert_counted(store, log.events, *all_three)


class TestCheckpoints:
    async def test_each_comes_after_its_work(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(9), cuts=[4] * 5)
        counter, reached = Counter(store), []

        async def look(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "checkpoints"):
                reached.append(checkpoint(store))
                counted, found = plain_count(counter, upto(log, reached[-1]))[0], store.documents("counter")
                assert all(found[key]["_position"] >= one["_position"] for key, one in counted.items())

        store.after = look
        await consume_all(log, store, counter)
        assert reached[-1] == log.end

    async def test_those_noted_while_one_is_written_go_in_one_write(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(3))
        reached, let_go = asyncio.Event(), asyncio.Event()

        async def slow(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "checkpoints"):
                reached.set()
                await let_go.wait()

        store.before = slow
        async with consuming(log, store, *counters(store)) as engine:
            await reached.wait()
            while not all(one.handled >= log.end for one in engine.followers):
                await asyncio.sleep(0)
            let_go.set()
            await all_done(log, engine, 3)
        assert sum(sizes(store, "write", "checkpoints")) == 3
        assert len(sizes(store, "write", "checkpoints")) <= 2

    async def test_events_of_others_only_advance_them(self):
        log = TinyLog()
        log.add_raw("elsewhere-1", "Whatever", b"not JSON")
        store = MemoryReadStore()
        await consume_all(ScriptedLog(log.events), store, *(all_three := counters(store)))
        assert {checkpoint(store, name) for name in NAMES} == {log.events[-1].position}
        assert set(NAMES) & set(store.collections) == set()
        assert [one.handled for one in all_three] == [[], [], []]

    async def test_they_advance_while_the_server_filters_everything_out(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(1))
        async with consuming(log, store, *counters(store)) as engine:
            await all_done(log, engine, 3)
            log.advance(9_000)
            while {one.position for one in engine.followers} != {9_000}:
                await asyncio.sleep(0)
        assert {checkpoint(store, name) for name in NAMES} == {9_000}

    async def test_there_is_none_on_an_empty_log(self):
        store = MemoryReadStore()
        await consume_all(ScriptedLog([]), store, *counters(store))
        assert not {"checkpoints", *NAMES} & set(store.collections)


class TestLostSubscription:
    async def test_it_is_opened_again_after_the_last_event_handled(self):
        events = lit(10)
        store, log = MemoryReadStore(), ScriptedLog(events, cuts=[5, 0, 3, 0, 0])
        await consume_all(log, store, *(all_three := counters(store)))
        assert log.subscribed_after == [None, events[4].position, events[7].position, events[7].position]
        assert_counted(store, events, *all_three)

    async def test_one_that_has_gone_dead_without_a_word_is_noticed(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(2))
        log.silent = True
        async with consuming(log, store, *(all_three := counters(store)), idle_check=0.005) as engine:
            while len(log.subscribed_after) < 2:
                await asyncio.sleep(0)
            log.silent = False
            await all_done(log, engine, 3)
        assert_counted(store, log.events, *all_three)

    async def test_a_log_without_news_is_left_in_peace(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(2))
        asked = 0
        last_position = log.last_position

        async def counted() -> int | None:
            nonlocal asked
            asked += 1
            return await last_position()

        log.last_position = counted
        async with consuming(log, store, Counter(store), idle_check=0.001):
            while asked < 5:
                await asyncio.sleep(0)
        assert log.subscribed_after == [None]


class TestReadStoreOutage:
    @pytest.mark.parametrize("took_effect", [False, True])
    async def test_it_is_no_fault_of_the_event_at_hand(self, took_effect):
        store, log = MemoryReadStore(), ScriptedLog(lit(5), cuts=[3] * 4)
        away = outage(operations=20)

        async def away_in_the_middle(operation: str, collection: str) -> None:
            if len(sizes(store, "write", "counter")) > 2:
                await away(operation, collection)

        if took_effect:
            store.after = away_in_the_middle
        else:
            store.before = away_in_the_middle
        await consume_all(log, store, counter := Counter(store))
        assert store.documents("parked_events") == {}
        assert_counted(store, log.events, counter)

    async def test_nor_is_a_refusal_by_the_store(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(5))
        failures = iter(range(20))

        async def disk_full(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "counter") and next(failures, None) is not None:
                raise ReadStoreRefused("no space left on device")

        store.before = disk_full
        await consume_all(log, store, counter := Counter(store))
        assert store.documents("parked_events") == {}
        assert_counted(store, log.events, counter)

    async def test_while_it_lasts_nothing_is_taken_from_the_log(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(20), cuts=[4] * 10)
        store.before = outage(operations=10**9)
        async with consuming(log, store, counter := Counter(store)) as engine:
            while engine.trouble is None:
                await asyncio.sleep(0)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert log.subscribed_after == [], "not before the checkpoints are known"
            store.before = outage(operations=0)
            await all_done(log, engine, 1)
            assert engine.trouble is None
        assert_counted(store, log.events, counter)


class TestStopping:
    async def test_the_batch_at_hand_is_finished_and_its_checkpoint_written(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(10), cuts=[8, 4, 4])
        at_work = asyncio.Event()

        async def tell(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "counter"):
                at_work.set()

        store.before = tell
        async with consuming(log, store, counter := Counter(store)):
            await at_work.wait()
        reached = checkpoint(store)
        assert reached >= log.events[7].position
        assert_counted(store, upto(log, reached), counter)

    async def test_leases_are_given_up_and_the_heartbeat_ends(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(3))
        async with consuming(log, store, *counters(store)) as engine:
            await all_done(log, engine, 3)
            assert {lease["owner"] for lease in store.documents("leases").values()} == {engine.heartbeat.instance}
            assert set(store.documents("consumer_members")) == {engine.heartbeat.instance}
        assert {lease["owner"] for lease in store.documents("leases").values()} == {""}
        assert store.documents("consumer_members") == {}

    async def test_a_fault_of_its_own_starts_it_again_from_its_checkpoint(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(10), cuts=[5] * 4)
        faults = iter([True, True])

        class Clumsy(Counter):
            async def take(self, batch):
                if len(self.handled) >= 5 and next(faults, False):
                    raise RuntimeError("a bug")
                await super().take(batch)

        await consume_all(log, store, counter := Clumsy(store), Counter(store, "other"))
        assert sizes(store, "load", "checkpoints").count(1) == 4, "that one read its checkpoint again, twice"
        assert next(faults, None) is None
        assert_counted(store, log.events, counter, Counter(store, "other"))

    async def test_others_do_not_wait_for_one_that_is_stuck(self):
        store, log = MemoryReadStore(), ScriptedLog(lit(10), cuts=[5] * 4)
        let_go = asyncio.Event()

        class Stuck(Counter):
            async def take(self, batch):
                await let_go.wait()
                await super().take(batch)

        async with consuming(log, store, stuck := Stuck(store), other := Counter(store, "other")) as engine:
            assert await engine.drained("other") == log.end
            assert stuck.handled == []
            let_go.set()
            await all_done(log, engine, 2)
        assert_counted(store, log.events, stuck, other)


async def test_what_is_refused_first_is_handled_at_the_next_attempt():
    store, log = MemoryReadStore(), ScriptedLog(lit(2))
    counter = Counter(store, attempts=3)
    refusing = lamps("l0")
    counter.refuses = lambda event, key: refusing(event, key) and len(counter.handled) < 3
    await consume_all(log, store, counter)
    first = log.events[0].position
    assert counter.handled[:4] == [(first, "l0")] * 3 + [(log.events[1].position, "l0")]
    assert store.documents("parked_events") == {}
    counter.refuses = lambda _event, _key: False
    assert_counted(store, log.events, counter)
