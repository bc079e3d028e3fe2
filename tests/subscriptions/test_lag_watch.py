"""What Prometheus is shown of consumers, whichever process runs them."""

import asyncio
import math

import pytest
from prometheus_client import REGISTRY

from subscriptions.operating.gauges import show_gauges
from subscriptions.operating.lag_watch import LagWatch
from subscriptions.operating.status import StatusReader
from tests.subscriptions.counting import Counter, lamps
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import RunningConsumers, all_done, consume_all, consuming
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.logs import recent


def shown(name: str, consumer: str) -> float:
    found = REGISTRY.get_sample_value(f"eventfold_consumer_{name}", {"consumer": consumer})
    assert found is not None, name
    return found


def watch_of(engine: RunningConsumers, log: ScriptedLog, *names: str) -> LagWatch:
    """A look from this process at consumers that it need not run."""
    watch = LagWatch(names, engine.catalogue, StatusReader(engine.coordinator, engine.store, log))
    show_gauges(names, engine.follower, watch.seen)
    return watch


async def test_all_that_is_counted_is_there_before_it_happens_first():
    log, store = ScriptedLog(recent(1)), MemoryReadStore()
    async with consuming(log, store, Counter(store)) as engine:
        watch_of(engine, log, "fresh")
    for name in ("events_total", "restarts_total", "read_store_retries_total", "leases"):
        assert shown(name, "fresh") == 0
    for name in ("position", "lag_seconds", "lag_events", "parked_events", "stopped", "other_log"):
        assert math.isnan(shown(name, "fresh")), "nobody has looked yet"


async def test_a_consumer_that_nobody_runs_is_shown_as_it_stands():
    events, store = recent(9, seconds_ago=60), MemoryReadStore()
    await consume_all(ScriptedLog(events[:4]), store, Counter(store, "left_alone", refuses=lamps("l1")))
    log = ScriptedLog(events)
    async with consuming(log, store, Counter(store, "running")) as engine:
        watch = watch_of(engine, log, "left_alone", "running")
        await all_done(log, engine, 1)
        await watch.look()
        assert (shown("position", "left_alone"), shown("lag_events", "left_alone")) == (events[3].position, 5)
        assert 59 < shown("lag_seconds", "left_alone") < 70
        assert (shown("parked_events", "left_alone"), shown("stopped", "left_alone")) == (1, 0)
        assert (shown("lag_events", "running"), shown("lag_seconds", "running")) == (0, 0)
        assert REGISTRY.get_sample_value("eventfold_event_log_position") == log.end


async def test_events_that_never_came_here_are_lag_too():
    events, store = recent(4, seconds_ago=60), MemoryReadStore()
    log = ScriptedLog(events[:2])
    async with consuming(log, store, Counter(store, "deaf")) as engine:
        watch = watch_of(engine, ScriptedLog(events), "deaf")
        await all_done(log, engine, 1)
        assert shown("lag_seconds", "deaf") == 0, "as far as it knows"
        await watch.look()
        assert shown("lag_events", "deaf") == 2
        assert 59 < shown("lag_seconds", "deaf") < 70


async def test_while_the_event_store_is_away_what_was_seen_last_stays():
    events, store = recent(3, seconds_ago=60), MemoryReadStore()
    await consume_all(ScriptedLog(events[:1]), store, Counter(store, "left_alone"))
    log = ScriptedLog(events)
    async with consuming(log, store, Counter(store, "other")) as engine:
        watch = watch_of(engine, log, "left_alone")
        await watch.look()
        seen = watch.seen("left_alone")
        log.away = True
        await watch.look()
        assert seen is not None
        assert watch.seen("left_alone") == seen
        assert shown("lag_events", "left_alone") == 2


@pytest.mark.parametrize("failing", [True, False])
async def test_a_stopped_consumer_is_shown_by_others_too(failing: bool):
    log, store = ScriptedLog(recent(150)), MemoryReadStore()
    broken = Counter(store, "broken", refuses=lambda _event, _key: failing, attempts=1)
    async with consuming(log, store, broken) as engine:
        await all_done(log, engine, 1)
        watch = LagWatch(["broken"], engine.catalogue, StatusReader(engine.coordinator, store, log))
        show_gauges(["broken"], lambda _consumer: None, watch.seen)
        async with asyncio.timeout(30):
            while (seen := watch.seen("broken")) is None or seen.stopped != failing:
                await watch.look()
        assert shown("stopped", "broken") == failing
