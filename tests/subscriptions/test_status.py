"""What operators are told of consumers, and what Prometheus reads."""

import asyncio
import math

import pytest
from prometheus_client import REGISTRY

from infrastructure.resilience import DependencyUnavailable
from subscriptions.operating.gauges import lag_seconds, show_gauges
from subscriptions.operating.status import PartitionStatus
from subscriptions.process import NotReady, consumers_run
from tests.subscriptions.counting import Counter, assert_counted, lamps
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.running import all_done, consume_all, consuming
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.logs import recent


class Held:
    """Keeps writes to a collection waiting until it is let go."""

    def __init__(self, collection: str) -> None:
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()
        self._collection = collection

    async def __call__(self, operation: str, collection: str) -> None:
        if (operation, collection) == ("write", self._collection):
            self.reached.set()
            await self.let_go.wait()


async def test_an_empty_log():
    log, store = ScriptedLog([]), MemoryReadStore()
    async with consuming(log, store, Counter(store)) as engine:
        await all_done(log, engine, 1)
        snapshot, status = await engine.snapshot(), await engine.status()
    assert (snapshot.end, snapshot.reachable) == (None, True)
    assert (status.name, status.version, status.position) == ("counter", 1, None)
    assert (status.lag_positions, status.lag_seconds, status.parked, status.trouble) == (0, 0.0, 0, None)


async def test_caught_up():
    log, store = ScriptedLog(recent(3, seconds_ago=3600)), MemoryReadStore()
    async with consuming(log, store, Counter(store, refuses=lamps("l1"))) as engine:
        await all_done(log, engine, 1)
        snapshot, status = await engine.snapshot(), await engine.status()
        assert lag_seconds(engine.followers[0]) == 0.0
        (instance,) = snapshot.instances()
        assert (instance.instance, instance.service, instance.alive) == (engine.heartbeat.instance, "counting", True)
        assert instance.partitions == 1
    assert snapshot.end == status.position == log.end
    assert (status.lag_positions, status.lag_events, status.lag_exact, status.lag_seconds) == (0, 0, True, 0.0)
    assert (status.state, status.trouble, status.parked) == ("live", None, 1)
    assert status.partitions == [PartitionStatus(0, instance.instance, 1, log.end)]


async def test_behind_by_the_age_of_the_oldest_event_not_yet_handled():
    events, store = recent(3, seconds_ago=60), MemoryReadStore()
    store.before = held = Held("counter")
    log = ScriptedLog(events, cuts=[2, 1])
    async with consuming(log, store, counter := Counter(store)) as engine:
        await held.reached.wait()
        status = await engine.status()
        measured = lag_seconds(engine.followers[0])
        held.let_go.set()
        await all_done(log, engine, 1)
    assert (status.position, status.lag_positions, status.lag_events) == (None, events[-1].position + 1, 3)
    assert status.lag_exact
    assert 59 < status.lag_seconds < 70
    assert 59 < measured < 70
    assert_counted(store, events, counter)


async def test_an_event_after_a_quiet_hour_does_not_make_an_hour_of_lag():
    events = recent(1, seconds_ago=3600) + recent(2)[1:]
    store = MemoryReadStore()
    await consume_all(ScriptedLog(events[:1]), store, Counter(store))
    store.before = held = Held("checkpoints")
    log = ScriptedLog(events)
    async with consuming(log, store, Counter(store)) as engine:
        await held.reached.wait()
        status = await engine.status()
        held.let_go.set()
    assert (status.position, status.lag_events) == (events[0].position, 1)
    assert status.lag_seconds < 60


async def test_with_the_event_store_away_the_lag_is_not_known():
    log, store = ScriptedLog(recent(1)), MemoryReadStore()
    async with consuming(log, store, Counter(store)) as engine:
        await all_done(log, engine, 1)
        log.away = True
        log._appended.set()
        while engine.coordinator.followers.reports()[0].state != "waiting":
            await asyncio.sleep(0)
        snapshot, status = await engine.snapshot(), await engine.status()
        with pytest.raises(NotReady, match="counter:1:0: EventStoreUnavailable: away"):
            await consumers_run(engine.coordinator)()
    assert (snapshot.end, snapshot.reachable) == (None, False)
    assert (status.position, status.lag_positions, status.lag_seconds) == (log.events[-1].position, None, None)
    assert (status.state, status.trouble) == ("waiting", "EventStoreUnavailable: away")


async def test_with_the_read_store_away():
    log, store = ScriptedLog(recent(1)), MemoryReadStore()
    async with consuming(log, store, Counter(store)) as engine:
        await all_done(log, engine, 1)
        store.before = outage(operations=10**9)
        while engine.trouble is None:
            await asyncio.sleep(0)
        status = await engine.status()
        assert status.state == "waiting"
        assert status.trouble.startswith("ReadStoreUnavailable")
        with pytest.raises(NotReady, match="ReadStoreUnavailable"):
            await consumers_run(engine.coordinator)()
        store.before = outage(operations=0)


async def test_a_process_is_ready_once_it_knows_its_work_and_nothing_is_in_its_way():
    log, store = ScriptedLog(recent(1)), MemoryReadStore()
    async with consuming(log, store, Counter(store)) as engine:
        ready = consumers_run(engine.coordinator)
        with pytest.raises(NotReady, match="has yet to find out"):
            await ready()
        await all_done(log, engine, 1)
        await ready()


async def test_one_that_waits_for_what_is_outside_prevents_nobody():
    """It shows as waiting; only a store that is away, or its own fault, makes the process unready."""

    class Calling(Counter):
        async def take(self, batch):
            raise DependencyUnavailable("provider", "it is down", 3600)

    log, store = ScriptedLog(recent(1)), MemoryReadStore()
    async with consuming(log, store, Calling(store, "caller"), Counter(store)) as engine:
        while {one.state for one in engine.coordinator.followers.reports()} != {"waiting", "live"}:
            await asyncio.sleep(0)
        await consumers_run(engine.coordinator)()


async def test_one_that_lags_is_ready_and_one_that_is_at_work_on_the_same_events_for_too_long_is_not():
    log, store = ScriptedLog(recent(3, seconds_ago=3600), cuts=[2, 1]), MemoryReadStore()
    store.before = held = Held("counter")
    async with consuming(log, store, Counter(store)) as engine:
        await held.reached.wait()
        assert lag_seconds(engine.followers[0]) > 3000
        await consumers_run(engine.coordinator, stuck_after=60)()
        engine.followers[0].throughput.working_since -= 61
        await consumers_run(engine.coordinator)()
        with pytest.raises(NotReady, match="counter: at work on the same events for over 60 s"):
            await consumers_run(engine.coordinator, stuck_after=60)()
        held.let_go.set()
        await all_done(log, engine, 1)
        await consumers_run(engine.coordinator, stuck_after=0)()


class TestDraining:
    async def test_an_empty_log_is_drained_at_once(self):
        log, store = ScriptedLog([]), MemoryReadStore()
        async with consuming(log, store, Counter(store)) as engine:
            assert await engine.drained() is None

    async def test_it_waits_for_what_the_log_held(self):
        log, store = ScriptedLog(recent(3)), MemoryReadStore()
        store.before = held = Held("counter")
        async with consuming(log, store, counter := Counter(store), Counter(store, "other")) as engine:
            draining = asyncio.create_task(engine.drained())
            assert await engine.drained("other") == log.end, "that one has come to the end"
            await asyncio.sleep(0.05)
            assert not draining.done()
            held.let_go.set()
            assert await draining == log.end
            assert_counted(store, log.events, counter)

    async def test_it_waits_for_the_checkpoint_of_every_partition(self):
        log, store = ScriptedLog(recent(9)), MemoryReadStore()
        store.before = held = Held("checkpoints")
        async with consuming(log, store, Counter(store), consumer_partitions=3) as engine:
            await held.reached.wait()
            with pytest.raises(TimeoutError):
                await engine.drained(timeout=0.05)
            held.let_go.set()
            assert await engine.drained() == log.end

    async def test_it_waits_for_a_consumer_that_has_not_begun(self):
        log, store = ScriptedLog(recent(1)), MemoryReadStore()
        async with consuming(log, store, Counter(store)) as engine:
            assert await engine.drained("counter") == log.end
            with pytest.raises(TimeoutError):
                await engine.drained("counter", "nobody", timeout=0.05)

    async def test_events_that_come_later_are_not_waited_for(self):
        log, store = ScriptedLog(recent(2)[:1]), MemoryReadStore()
        async with consuming(log, store, Counter(store)) as engine:
            await all_done(log, engine, 1)
            store.before = held = Held("counter")
            first = log.end
            draining = asyncio.create_task(engine.drained())
            await asyncio.sleep(0)
            log.append(recent(2)[1])
            assert await draining == first
            held.let_go.set()


def gauge(name: str, consumer: str) -> float:
    """What Prometheus reads at the moment."""
    found = REGISTRY.get_sample_value(f"eventfold_consumer_{name}", {"consumer": consumer})
    assert found is not None
    return found


async def test_gauges():
    log, store = ScriptedLog(recent(3, seconds_ago=60)), MemoryReadStore()
    counter = Counter(store, "shown", refuses=lamps("l1"))
    async with consuming(log, store, counter) as engine:
        show_gauges(engine.workload.names, engine.follower)
        assert math.isnan(gauge("position", "shown")), "nothing follows it here yet"
        store.before = held = Held("shown")
        await held.reached.wait()
        assert (gauge("position", "shown"), gauge("parked_events", "shown")) == (-1, 0)
        assert 59 < gauge("lag_seconds", "shown") < 70
        held.let_go.set()
        await all_done(log, engine, 1)
        assert (gauge("position", "shown"), gauge("lag_seconds", "shown")) == (log.end, 0)
        assert (gauge("parked_events", "shown"), gauge("stopped", "shown")) == (1, 0)
        assert gauge("leases", "shown") == 1
        assert REGISTRY.get_sample_value("eventfold_consumer_events_total", {"consumer": "shown"}) == 3
    assert math.isnan(gauge("position", "shown"))


def missing() -> float | None:
    """How many subscriptions Prometheus reads as missing at the moment."""
    return REGISTRY.get_sample_value("eventfold_consumer_missing_subscriptions")


async def test_a_subscription_is_missing_as_soon_as_it_is_lost():
    log, store = ScriptedLog(recent(2)), MemoryReadStore()
    async with consuming(log, store, Counter(store)) as engine:
        await all_done(log, engine, 1)
        assert missing() == 0
        log.away = True
        log.advance(9_000)  # wakes the subscription, which then finds the log away
        while missing() != 1:
            await asyncio.sleep(0)
        log.away = False
        while missing() != 0:
            await asyncio.sleep(0)
    assert missing() == 0


async def test_one_that_waits_for_what_is_outside_has_not_lost_its_subscription():
    class Calling(Counter):
        async def take(self, batch):
            raise DependencyUnavailable("provider", "it is down", 3600)

    log, store = ScriptedLog(recent(1)), MemoryReadStore()
    async with consuming(log, store, Calling(store, "caller")) as engine:
        while {one.state for one in engine.coordinator.followers.reports()} != {"waiting"}:
            await asyncio.sleep(0)
        while missing() != 0:
            await asyncio.sleep(0)
        await consumers_run(engine.coordinator)()


async def test_the_gauge_of_one_that_was_stopped():
    log, store = ScriptedLog(recent(120)), MemoryReadStore()
    broken = Counter(store, "broken", refuses=lambda _event, _key: True, attempts=1)
    async with consuming(log, store, broken) as engine:
        show_gauges(engine.workload.names, engine.follower)
        await all_done(log, engine, 1)
        assert gauge("stopped", "broken") == 1
