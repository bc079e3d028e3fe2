"""The log under the views is replaced: they stop, whatever is under way, and a rebuild makes them from the new one."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from infrastructure.event_store import StoredEvent
from infrastructure.view_registry import ViewRecord, transitions
from tests.projector.running import RunningProjector, assert_folded, engine_over, project_all
from tests.projector.test_builds import record_of
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS
from tests.support.tiny.logs import TinyLog, installed, switched_on

VIEWS = (LAMP_DETAILS,)
OPTIONS = {"consumer_name": "p", "consumer_lease": 0.12}


def lit(lamps: int, room: str = "r1") -> list[StoredEvent]:
    """So many lamps are installed in a room and switched on; the events of another room are other events."""
    log = TinyLog()
    for lamp in range(lamps):
        log.happen(installed(f"l{lamp}", room), switched_on(f"l{lamp}"))
    return [replace(one, id=f"{room}-{one.id}") for one in log.events]


async def until(store: MemoryReadStore, met: Callable[[ViewRecord], bool]) -> ViewRecord:
    async with asyncio.timeout(30):
        while not met(record := record_of(store, LAMP_DETAILS)):
            await asyncio.sleep(0.001)
    return record


async def state(engine: RunningProjector) -> str:
    views = (await engine.status()).views
    return views[0].state if views else "unknown"


async def stopped(engine: RunningProjector) -> None:
    async with asyncio.timeout(30):
        while await state(engine) != "other_log":
            await asyncio.sleep(0.001)


async def rebuild(engine: RunningProjector) -> None:
    await engine.registry.change("lamp_details", lambda record: transitions.with_candidate(record, 1, 0))
    engine.changed.set()


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("events", [0, 3, 30])
async def test_a_rebuild_heals_exactly(partitions: int, events: int):
    """Whether the new log is empty, shorter, or longer than the one before."""
    store, log = MemoryReadStore(), ScriptedLog(lit(30, "r2")[:events])
    await project_all(ScriptedLog(lit(8)), store, VIEWS, consumer_partitions=partitions)
    before = store.documents("lamp_details_v1")
    async with engine_over(log, store, VIEWS, **OPTIONS, consumer_partitions=partitions) as engine:
        await stopped(engine)
        assert store.documents("lamp_details_v1") == before
        await rebuild(engine)
        record = await until(store, lambda one: one.live.number == 2)
        assert record.previous is None, "it could never be served again"
        log.append(*lit(40, "r2")[events:])
        async with asyncio.timeout(30):
            while await state(engine) == "other_log" or (await engine.status()).views[0].position != log.end:
                await asyncio.sleep(0.001)
    assert_folded(store, log, VIEWS)


@pytest.mark.parametrize("under_way", [False, True])
async def test_unasked_it_begins_by_itself_and_what_is_under_way_goes_on(under_way: bool):
    store, log = MemoryReadStore(), ScriptedLog(lit(8))
    async with engine_over(log, store, VIEWS, **OPTIONS, on_other_log="rebuild") as engine:
        async with asyncio.timeout(30):
            while await state(engine) != "live":
                await asyncio.sleep(0.001)
        log.away = True
        if under_way:
            await rebuild(engine)
        log.append()
        async with asyncio.timeout(30):
            while await state(engine) == "live":
                await asyncio.sleep(0.001)
        log.events = lit(40, "r2")
        log.away = False
        record = await until(store, lambda one: one.live.number == 2 and one.candidate is None)
        assert record.previous is None
        async with asyncio.timeout(30):
            while await state(engine) == "other_log" or (await engine.status()).views[0].position != log.end:
                await asyncio.sleep(0.001)
    assert_folded(store, log, VIEWS)


async def test_a_candidate_of_another_log_is_never_switched_to():
    store = MemoryReadStore()
    await project_all(ScriptedLog(lit(8)), store, VIEWS)
    log = ScriptedLog(lit(8))
    async with engine_over(log, store, VIEWS, **OPTIONS) as engine:
        log.silent = True
        await rebuild(engine)
        await until(store, lambda one: one.candidate is not None)
    log = ScriptedLog(lit(8))
    async with engine_over(log, store, VIEWS, **OPTIONS, live_pause=0.01) as engine:
        await until(store, lambda one: one.live.number == 2)
        # The build before it is kept up, and wanted back; then both are of a log that is gone.
        await engine.registry.change("lamp_details", transitions.with_previous_as_candidate)
    other = ScriptedLog(lit(3, "r2"))
    async with engine_over(other, store, VIEWS, **OPTIONS) as engine:
        await stopped(engine)
        number = record_of(store, LAMP_DETAILS).live.number
        for _ in range(3):
            await asyncio.sleep(0.1)
            record = record_of(store, LAMP_DETAILS)
            assert (record.live.number, record.paused) == (number, 0)
        await engine.registry.change("lamp_details", lambda record: transitions.with_candidate_instead(record, 1, 0))
        record = await until(store, lambda one: one.live.number == 3)
    assert_folded(store, other, VIEWS)
