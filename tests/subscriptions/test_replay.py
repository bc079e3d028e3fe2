"""Dead letters retried and discarded: afterwards every count is that of the log."""

import asyncio
import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.read_store import ReadStoreUnavailable
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout
from tests.subscriptions.counting import Counter, Refuses, assert_counted, by_many, lamps, nothing, parked, plain_count
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.mishaps import seeds
from tests.subscriptions.running import RunningConsumers, all_done, consume_all, consuming, everybody_at
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.lamp import LampInstalled, LampSwitchedOn
from tests.support.tiny.logs import TinyLog, installed, random_log, switched_off, switched_on


def lit(*ids: str) -> TinyLog:
    """Lamps that are all installed before they are switched on."""
    return TinyLog(*map(installed, ids), *map(switched_on, ids))


def leading(store: MemoryReadStore) -> list[tuple[int, str, int]]:
    """Position, key and whether it is first of every dead letter."""
    return [(one["position"], one["key"], one["first"]) for one in parked(store)]


class TestRetry:
    async def test_after_a_fix_all_of_a_key_is_handled_in_order(self):
        events, store = lit("l1", "l2"), MemoryReadStore()
        await consume_all(ScriptedLog(events.events), store, Counter(store, refuses=lamps("l1")), consumer_name="p")
        log, counter = ScriptedLog(events.events), Counter(store)
        async with consuming(log, store, counter, consumer_name="p") as engine:
            await all_done(log, engine, 1)
            outcome = await engine.dead_letters().retry("counter", "l1")
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
            assert counter.handled == [(events.events[0].position, "l1"), (events.events[2].position, "l1")]
            assert engine.followers[0].parking.count == 0
            events.happen(switched_off("l1"))
            log.append(events.events[-1])
            await everybody_at(store, log.end, "counter")
        assert parked(store) == []
        assert_counted(store, log.events, counter)

    async def test_without_a_fix_it_stays_parked(self):
        events, store = lit("l1", "l2"), MemoryReadStore()
        log, counter = ScriptedLog(events.events), Counter(store, refuses=lamps("l2"))
        async with consuming(log, store, counter) as engine:
            await all_done(log, engine, 1)
            before = parked(store)
            outcome = await engine.dead_letters().retry("counter", None)
        assert (outcome.replayed, outcome.remaining) == (0, 2)
        position = events.events[1].position
        assert outcome.errors == [f"key l2 at {position}: ZeroDivisionError: no sums today for l2"]
        after = parked(store)
        assert [one["retries"] for one in after] == [1, 0], "what stands behind it was not tried"
        assert after[0]["retried_at"] >= after[0]["parked_at"]
        assert [one | {"retries": 0, "retried_at": 0} for one in after] == before
        assert_counted(store, log.events, counter)

    async def test_one_that_fails_further_on_leads_the_key_from_there(self):
        events, store = TinyLog(installed("l1"), switched_on("l1"), switched_off("l1")), MemoryReadStore()
        log, counter = ScriptedLog(events.events), Counter(store, refuses=lamps("l1"))
        async with consuming(log, store, counter) as engine:
            await all_done(log, engine, 1)
            counter.refuses = lambda event, _key: isinstance(event, LampSwitchedOn)
            outcome = await engine.dead_letters().retry("counter", "l1")
            assert (outcome.replayed, outcome.remaining) == (1, 2)
            first, on, off = (event.position for event in events.events)
            assert leading(store) == [(on, "l1", 1), (off, "l1", 0)]
            assert store.documents("counter")["l1"]["_position"] == first
        assert_counted(store, log.events, counter)

    async def test_nothing_to_retry(self):
        events, store = lit("l1"), MemoryReadStore()
        log = ScriptedLog(events.events)
        async with consuming(log, store, Counter(store)) as engine:
            await all_done(log, engine, 1)
            operations = engine.dead_letters()
            with pytest.raises(NoSuchDeadLetter, match="under l1"):
                await operations.retry("counter", "l1")
            with pytest.raises(NoSuchDeadLetter, match="at 5"):
                await operations.discard("counter", 5, "why not")
            with pytest.raises(NoSuchConsumer, match="there is no consumer 'nobody'; there are counter"):
                await operations.retry("nobody", None)

    async def test_when_nobody_runs_it_the_request_stands_and_is_done_later(self):
        events, store = lit("l1"), MemoryReadStore()
        refusing = Counter(store, refuses=lamps("l1"))
        engine = await consume_all(ScriptedLog(events.events), store, refusing, consumer_name="p")
        with pytest.raises(ReplayTimeout):
            await engine.dead_letters(timeout=0.01, asked=asyncio.Event()).retry("counter", "l1")
        log, counter = ScriptedLog(events.events), Counter(store)
        async with consuming(log, store, counter, consumer_name="p") as engine, asyncio.timeout(60):
            await all_done(log, engine, 1)
            while parked(store):
                await asyncio.sleep(0.001)
        assert_counted(store, log.events, counter)

    async def test_one_that_is_stopped_says_so_and_loses_nothing(self):
        events, store = TinyLog(*(installed(f"l{lamp}") for lamp in range(150))).events, MemoryReadStore()
        log = ScriptedLog(events[:50])
        broken = Counter(store, refuses=lambda _event, _key: True, attempts=1)
        async with consuming(log, store, broken) as engine:
            await all_done(log, engine, 1)
            log.append(*events[50:])
            while engine.followers[0].broken is None:
                await asyncio.sleep(0)
            before = parked(store)
            assert len(before) == 50
            outcome = await engine.dead_letters().retry("counter", None)
            assert (outcome.replayed, outcome.remaining) == (0, 50)
            assert "the consumer is stopped" in outcome.errors[0]
        assert parked(store) == before

    async def test_an_outage_in_the_middle_of_it_loses_nothing(self):
        events, store = lit("l1", "l2"), MemoryReadStore()
        log, counter = ScriptedLog(events.events), Counter(store, refuses=lamps("l1"))
        async with consuming(log, store, counter) as engine:
            await all_done(log, engine, 1)
            before, counter.refuses = parked(store), nothing

            async def away(operation: str, collection: str) -> None:
                if (operation, collection) == ("write", "counter"):
                    raise ReadStoreUnavailable("away")

            store.before = away
            outcome = await engine.dead_letters().retry("counter", None)
            assert (outcome.replayed, outcome.remaining) == (0, 2)
            assert "ReadStoreUnavailable" in outcome.errors[0]
            assert parked(store) == before

            async def back(_operation: str, _collection: str) -> None: ...

            store.before = back
            outcome = await engine.dead_letters().retry("counter", None)
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
        assert_counted(store, log.events, counter)


class TestDiscard:
    async def test_it_is_left_out_for_good_and_what_stood_behind_it_is_handled(self):
        events, store = TinyLog(installed("l1"), switched_on("l1"), switched_off("l1")), MemoryReadStore()
        log = ScriptedLog(events.events)
        counter = Counter(store, refuses=lambda event, _key: isinstance(event, LampSwitchedOn))
        bad = events.events[1].position
        async with consuming(log, store, counter, consumer_name="p") as engine:
            await all_done(log, engine, 1)
            outcome = await engine.dead_letters().discard("counter", bad, "a short circuit")
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
        expected, _ = plain_count(counter, log.events, {(bad, "l1")})
        assert store.documents("counter") == expected
        (record,) = store.documents("discarded_events").values()
        assert (record["consumer"], record["position"], record["reason"]) == ("counter", bad, "a short circuit")
        del store.collections["counter"], store.collections["checkpoints"]
        await consume_all(ScriptedLog(events.events), store, counter, consumer_name="p")
        assert store.documents("counter") == expected, "whoever starts over heeds it too"
        assert parked(store) == []

    async def test_it_concerns_that_consumer_alone(self):
        events, store = lit("l1"), MemoryReadStore()
        log = ScriptedLog(events.events)
        everybody = [Counter(store, name, refuses=lamps("l1")) for name in ("counter", "other")]
        async with consuming(log, store, *everybody) as engine:
            await all_done(log, engine, 2)
            await engine.dead_letters().discard("counter", events.events[0].position, "no")
        assert [one["position"] for one in parked(store)] == [events.events[1].position], "that fails too"
        assert len(parked(store, "other")) == 2

    async def test_an_event_that_nobody_can_decode(self):
        events, store = TinyLog(installed("l1"), switched_on("l1")), MemoryReadStore()
        bad = events.add_raw("lamp-l1", "LampExploded", b"{}")
        events.happen(switched_off("l1"), switched_on("l1"))
        log, counter = ScriptedLog(events.events), Counter(store)
        async with consuming(log, store, counter) as engine:
            await all_done(log, engine, 1)
            operations = engine.dead_letters()
            outcome = await operations.retry("counter", "lamp-l1")
            assert outcome.errors[0].startswith(f"stream lamp-l1 at {bad.position}: ")
            assert (outcome.replayed, outcome.remaining) == (0, 3)
            outcome = await operations.discard("counter", bad.position, "a test of explosives")
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (3, 0, [])
        expected, _ = plain_count(counter, log.events, {(bad.position, "lamp-l1")})
        assert store.documents("counter") == expected

    async def test_a_stream_whose_keys_have_gone_on_without_it_is_counted_from_the_history(self):
        events, store = TinyLog(installed("l1"), installed("x1"), switched_on("x1")), MemoryReadStore()
        bad = events.add_raw("lamp-l1", "LampExploded", b"{}")
        events.happen(switched_on("l1"), switched_off("x1"))
        log, counter = ScriptedLog(events.events), Counter(store, keys=by_many)
        async with consuming(log, store, counter) as engine:
            await all_done(log, engine, 1)
            assert store.documents("counter")["everybody"]["counts"] == {
                "LampInstalled": 2,
                "LampSwitchedOn": 1,
                "LampSwitchedOff": 1,
            }
            outcome = await engine.dead_letters().discard("counter", bad.position, "no")
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
        expected, _ = plain_count(counter, log.events, {(bad.position, "lamp-l1")})
        assert store.documents("counter") == expected
        assert expected["everybody"]["counts"]["LampSwitchedOn"] == 2


async def test_listed_and_shown():
    events, store = lit("l1", "l2"), MemoryReadStore()
    log = ScriptedLog(events.events)
    async with consuming(log, store, Counter(store, refuses=lamps("l1")), Counter(store, "other")) as engine:
        await all_done(log, engine, 2)
        operations = engine.dead_letters()
        page, more = await operations.page(None, None, after=-1, limit=1)
        assert ([one.position for one in page], more) == ([events.events[0].position], True)
        page, more = await operations.page("counter", "l1", after=page[0].position, limit=10)
        assert ([(one.position, one.first) for one in page], more) == ([(events.events[2].position, 0)], False)
        assert await operations.page("other", None, after=-1, limit=10) == ([], False)
        one = await operations.one("counter", events.events[0].position)
        assert (one.key, one.event_type, one.error) == (
            "l1",
            "LampInstalled",
            "ZeroDivisionError: no sums today for l1",
        )
        with pytest.raises(NoSuchDeadLetter):
            await operations.one("other", events.events[0].position)


def fails_often(event: object, _key: str) -> bool:
    """Poison by the event alone."""
    return isinstance(event, LampInstalled) and event.watts % 7 == 0


async def discards_and_retries(seed: int, length: int) -> None:
    """Every event that leads a key is discarded, one after another, until nothing is parked: what is left is a count of
    the log without them."""
    choose = random.Random(seed)
    events = random_log(choose, length)
    store, log = MemoryReadStore(switches=choose), ScriptedLog(events)
    refuses: Refuses = choose.choice([nothing, fails_often])
    keys = choose.choice([{}, {"keys": by_many}])
    left_out: set[tuple[int, str]] = set()
    async with contextlib.AsyncExitStack() as stack:
        partitions = choose.choice([1, 3])
        for number in range(choose.choice([1, 1, 2])):
            given = {"consumer_name": f"p{number}", "consumer_partitions": partitions}
            counter = Counter(store, refuses=refuses, attempts=choose.choice([1, 2]), **keys)
            engine: RunningConsumers = await stack.enter_async_context(
                consuming(ScriptedLog(events), store, counter, **given)
            )
        await everybody_at(store, log.end, "counter")
        operations = engine.dead_letters()
        while first := [one for one in leading(store) if one[2]]:
            if choose.random() < 0.3:
                await operations.retry("counter", None)
            position = choose.choice(first)[0]
            left_out |= {(one[0], one[1]) for one in leading(store) if one[0] == position}
            await operations.discard("counter", position, "in the way")
    documents, _ = plain_count(counter, events, left_out)
    assert store.documents("counter") == documents
    assert parked(store) == []


@given(seeds, st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_until_nothing_is_parked(seed, length):
    asyncio.run(discards_and_retries(seed, length))
