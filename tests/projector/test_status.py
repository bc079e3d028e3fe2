"""What operators are told."""

import asyncio
import time

import pytest

from infrastructure.event_store import StoredEvent
from projector.http.responses import ViewStatus
from read_models.ordering.order_details import ORDER_DETAILS
from subscriptions.operating.gauges import lag_seconds
from subscriptions.operating.status import PartitionStatus
from subscriptions.process import NotReady, consumers_run
from tests.projector.logs import LogBuilder, created
from tests.projector.running import RunningProjector, all_done, engine_over, project_all
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import VIEWS


def log_of(number: int, *, seconds_ago: int = 0) -> list[StoredEvent]:
    log = LogBuilder()
    for order in range(number):
        log.add(f"order-o{order}", created(f"o{order}"))
    now = time.time_ns() // 1_000_000
    return [
        StoredEvent(
            e.id, e.type, e.stream, e.revision, e.position, now - seconds_ago * 1000 + index, e.data, e.metadata
        )
        for index, e in enumerate(log.events)
    ]


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


async def started(engine: RunningProjector) -> None:
    """Waits until the engine has found out what it is to fold."""
    async with asyncio.timeout(10):
        while len(engine.records) < len(engine.view_names):
            await asyncio.sleep(0)


async def test_an_empty_log():
    log = ScriptedLog([])
    async with engine_over(log, MemoryReadStore()) as engine:
        await started(engine)
        await log.drained()
        status = await engine.status()
    assert (status.event_store.position, status.event_store.reachable) == (None, True)
    first = status.views[0]
    assert (first.name, first.version, first.position) == ("order_details", 1, None)
    assert (first.lag_positions, first.lag_seconds, first.parked, first.trouble) == (0, 0.0, 0, None)


async def test_caught_up():
    log = ScriptedLog(log_of(3, seconds_ago=3600))
    async with engine_over(log, MemoryReadStore()) as engine:
        await all_done(log, engine, len(VIEWS))
        status = await engine.status()
        assert {lag_seconds(one) for one in engine.followers} == {0.0}
        (instance,) = status.instances
        assert (instance.instance, instance.alive, instance.partitions) == (engine.heart.instance, True, len(VIEWS))
    assert status.event_store.position == log.end
    whole = [PartitionStatus(0, instance.instance, 1, log.end)]
    assert status.views == [
        ViewStatus(
            view.name, 1, view.collection, log.end, 0, 0, True, 0.0, 0, "live", None, whole, rebuild=None, previous=None
        )
        for view in VIEWS
    ]


async def test_behind_by_the_age_of_the_oldest_event_not_yet_folded():
    events, store = log_of(3, seconds_ago=60), MemoryReadStore()
    store.before = held = Held("order_details_v1")
    log = ScriptedLog(events, cuts=[2, 1])
    async with engine_over(log, store) as engine:
        await held.reached.wait()
        status = await engine.status()
        measured = max(lag_seconds(one) for one in engine.followers)
        held.let_go.set()
        await all_done(log, engine, len(VIEWS))
    view = status.views[0]
    assert (view.position, view.lag_positions, view.lag_events) == (None, events[-1].position + 1, 3)
    assert view.lag_exact
    assert 59 < view.lag_seconds < 70
    assert 59 < measured < 70


async def test_an_event_after_a_quiet_hour_does_not_make_an_hour_of_lag():
    events = log_of(1, seconds_ago=3600) + log_of(2)[1:]
    store = MemoryReadStore()
    await project_all(ScriptedLog(events[:1]), store)
    store.before = held = Held("checkpoints")
    log = ScriptedLog(events)
    async with engine_over(log, store) as engine:
        await held.reached.wait()
        status = await engine.status()
        held.let_go.set()
    assert status.views[0].lag_seconds < 60


async def test_with_the_event_store_away_the_lag_is_not_known():
    log = ScriptedLog(log_of(1))
    async with engine_over(log, MemoryReadStore()) as engine:
        await all_done(log, engine, len(VIEWS))
        log.away = True
        log._appended.set()
        while engine.coordinator.followers.reports()[0].state != "waiting":
            await asyncio.sleep(0)
        status = await engine.status()
    assert (status.event_store.position, status.event_store.reachable) == (None, False)
    view = status.views[0]
    assert (view.position, view.lag_positions, view.lag_seconds) == (log.events[-1].position, None, None)
    assert (view.state, view.trouble) == ("waiting", "EventStoreUnavailable: away")


async def test_with_the_read_store_away():
    log, store = ScriptedLog(log_of(1)), MemoryReadStore()
    async with engine_over(log, store) as engine:
        await all_done(log, engine, len(VIEWS))
        store.before = outage(operations=10**9)
        while engine.trouble is None:
            await asyncio.sleep(0)
        view = (await engine.status()).views[0]
        assert view.state == "waiting"
        assert view.trouble.startswith("ReadStoreUnavailable")
        store.before = outage(operations=0)


async def test_readiness_names_a_view_that_was_stopped():
    def fold(_document: object, _recorded: object) -> object:
        raise ZeroDivisionError("always")

    broken = ORDER_DETAILS.__class__(
        "order_details", 1, ORDER_DETAILS.document, ORDER_DETAILS.events, ORDER_DETAILS.keys, fold
    )
    log = ScriptedLog(log_of(100))
    async with engine_over(log, MemoryReadStore(), [broken]) as engine:
        await started(engine)
        while not (engine.followers and engine.followers[0].broken):
            await asyncio.sleep(0)
        view = (await engine.status()).views[0]
        assert (view.state, view.position, view.lag_positions) == ("stopped", None, log.events[-1].position + 1)
        with pytest.raises(NotReady, match="order_details is stopped"):
            await consumers_run(engine.coordinator)()
