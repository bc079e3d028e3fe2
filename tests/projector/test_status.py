"""What operators are told."""

import asyncio

import msgspec
import pytest

from projector.http.responses import ViewStatus
from subscriptions.operating.gauges import lag_seconds
from subscriptions.operating.status import PartitionStatus
from subscriptions.process import NotReady, consumers_run
from tests.projector.running import VIEWS, RunningProjector, engine_over
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import all_done
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS
from tests.support.tiny.logs import recent


async def started(engine: RunningProjector) -> None:
    """Waits until the engine has found out what it is to fold."""
    async with asyncio.timeout(60):
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
    assert (first.name, first.version, first.position) == ("lamp_details", 1, None)
    assert (first.lag_positions, first.lag_seconds, first.parked, first.trouble) == (0, 0.0, 0, None)


async def test_caught_up():
    log = ScriptedLog(recent(3, seconds_ago=3600))
    async with engine_over(log, MemoryReadStore()) as engine:
        await all_done(log, engine, len(VIEWS))
        status = await engine.status()
        assert {lag_seconds(one) for one in engine.followers} == {0.0}
        (instance,) = status.instances
        assert (instance.instance, instance.alive, instance.partitions) == (engine.heartbeat.instance, True, len(VIEWS))
    assert status.event_store.position == log.end
    whole = [PartitionStatus(0, instance.instance, 1, log.end)]
    assert status.views == [
        ViewStatus(
            view.name, 1, view.collection, log.end, 0, 0, True, 0.0, 0, "live", None, whole, rebuild=None, previous=None
        )
        for view in VIEWS
    ]


async def test_readiness_names_a_view_that_was_stopped():
    def fold(_document: object, _recorded: object) -> object:
        raise ZeroDivisionError("always")

    broken = msgspec.structs.replace(LAMP_DETAILS, fold=fold)
    log = ScriptedLog(recent(100))
    async with engine_over(log, MemoryReadStore(), [broken]) as engine:
        await started(engine)
        while not (engine.followers and engine.followers[0].broken):
            await asyncio.sleep(0)
        view = (await engine.status()).views[0]
        assert (view.state, view.position, view.lag_positions) == ("stopped", None, log.events[-1].position + 1)
        with pytest.raises(NotReady, match="lamp_details is stopped"):
            await consumers_run(engine.coordinator)()
