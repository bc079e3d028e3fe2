"""What operators are told."""

import asyncio
import time

import pytest

from infrastructure.event_store import StoredEvent
from projector.http.status import ViewStatus, status_of
from projector.lag import lag_seconds
from projector.service import NotReady, _views_run
from read_models.order_details import ORDER_DETAILS
from read_models.views import VIEWS
from tests.projector.logs import LogBuilder, created
from tests.projector.memory_read_store import MemoryReadStore, outage
from tests.projector.running import engine_over, project_all
from tests.projector.scripted_log import ScriptedLog


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


async def test_an_empty_log():
    log = ScriptedLog([])
    async with engine_over(log, MemoryReadStore()) as engine:
        await log.drained()
        status = await status_of(engine, log)
    assert (status.event_store.position, status.event_store.reachable) == (None, True)
    first = status.views[0]
    assert (first.name, first.version, first.position) == ("order_details", 1, None)
    assert (first.lag_positions, first.lag_seconds, first.parked, first.trouble) == (0, 0.0, 0, None)


async def test_caught_up():
    log = ScriptedLog(log_of(3, seconds_ago=3600))
    async with engine_over(log, MemoryReadStore()) as engine:
        await log.drained()
        status = await status_of(engine, log)
        assert {lag_seconds(one)() for one in engine.projections} == {0.0}
    assert status.event_store.position == log.events[-1].position
    last = log.events[-1].position
    assert status.views == [ViewStatus(view.name, 1, last, 0, 0.0, 0, "live", None) for view in VIEWS]


async def test_behind_by_the_age_of_the_oldest_event_not_yet_folded():
    events, store = log_of(3, seconds_ago=60), MemoryReadStore()
    store.before = held = Held("checkpoints")
    log = ScriptedLog(events, cuts=[2, 1])
    async with engine_over(log, store) as engine:
        await held.reached.wait()
        status = await status_of(engine, log)
        measured = lag_seconds(engine.projections[0])()
        held.let_go.set()
        await log.drained()
    view = status.views[0]
    assert (view.position, view.lag_positions, view.state) == (None, events[-1].position + 1, "catching_up")
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
        status = await status_of(engine, log)
        held.let_go.set()
    assert status.views[0].lag_seconds < 60


async def test_with_the_event_store_away_the_lag_is_not_known():
    log = ScriptedLog(log_of(1))
    async with engine_over(log, MemoryReadStore()) as engine:
        await log.drained()
        log.away = True
        log._appended.set()
        while engine.connected:
            await asyncio.sleep(0)
        status = await status_of(engine, log)
    assert (status.event_store.position, status.event_store.reachable) == (None, False)
    view = status.views[0]
    assert (view.position, view.lag_positions, view.lag_seconds) == (log.events[-1].position, None, None)
    assert (view.state, view.trouble) == ("waiting", "EventStoreUnavailable: away")


async def test_with_the_read_store_away():
    log, store = ScriptedLog(log_of(1)), MemoryReadStore()
    store.before = outage(operations=10**9)
    async with engine_over(log, store) as engine:
        while engine.projections[0].store.trouble is None:
            await asyncio.sleep(0)
        view = (await status_of(engine, log)).views[0]
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
        await _views_run(engine)()
        while engine.projections[0].broken is None:
            await asyncio.sleep(0)
        view = (await status_of(engine, log)).views[0]
        assert (view.state, view.position, view.lag_positions) == ("stopped", None, log.events[-1].position + 1)
        with pytest.raises(NotReady, match="order_details is stopped"):
            await _views_run(engine)()
