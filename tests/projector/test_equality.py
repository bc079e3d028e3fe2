"""Whatever happens to the projector, the views equal a plain fold of the log."""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from infrastructure.event_store import StoredEvent
from infrastructure.settings import Settings
from projector.process import create_projector_process
from tests.projector.running import VIEWS as PLAIN
from tests.projector.running import RunningProjector, assert_folded, engine_over, folded_up_to, project_all
from tests.projector.touchy_view import TOUCHY
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.mishaps import crashing_life, lose_checkpoints, scripted, seeds
from tests.subscriptions.running import at_once
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import TINY_CODEC
from tests.support.tiny.logs import logs

VIEWS = (*PLAIN, TOUCHY)


def process_over(log: ScriptedLog, store: MemoryReadStore, choose: random.Random) -> RunningProjector:
    """A projector that has not been started."""
    configured = Settings.of(projector_cache=choose.choice([0, 1, 3, 1000]), consumer_name="p", consumer_lease=0.6)
    process = create_projector_process(log, TINY_CODEC, store, VIEWS, configured, asyncio.Event(), delays=at_once)
    return RunningProjector(process, log, store)


async def cuts_crashes_outages_and_repetitions(events: Sequence[StoredEvent], choose: random.Random) -> None:
    store = MemoryReadStore(switches=choose)
    for _ in range(choose.randrange(5)):
        upto = choose.randrange(len(events) + 1)
        await crashing_life(process_over(scripted(events[:upto], choose), store, choose), len(VIEWS), store, choose)
        lose_checkpoints(store, choose)
    log = scripted(events, choose)
    await project_all(
        log,
        store,
        VIEWS,
        consumer_name="p",
        projector_cache=choose.choice([0, 2, 1000]),
        consumer_batch=choose.choice([1, 7, 8192]),
    )
    assert_folded(store, log, VIEWS)


@given(logs, seeds)
@settings(max_examples=50, deadline=None)
def test_after_any_cuts_crashes_outages_and_repetitions(events, seed):
    asyncio.run(cuts_crashes_outages_and_repetitions(events, random.Random(seed)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(logs, seeds)
@settings(max_examples=5_000, deadline=None)
def test_after_any_cuts_crashes_outages_and_repetitions_many_times(events, seed):
    asyncio.run(cuts_crashes_outages_and_repetitions(events, random.Random(seed)))


@given(logs, seeds)
@settings(max_examples=40, deadline=None)
def test_with_two_projectors_at_once(events, seed):
    async def scenario() -> None:
        choose = random.Random(seed)
        store = MemoryReadStore(switches=choose)
        if choose.random() < 0.5:
            await crashing_life(process_over(scripted(events, choose), store, choose), len(VIEWS), store, choose)
        logs = [scripted(events, choose) for _ in range(choose.choice([2, 3]))]
        partitions = choose.choice([1, 1, 3])
        async with contextlib.AsyncExitStack() as stack:
            for number, log in enumerate(logs):
                given = {"consumer_name": f"p{number or ''}", "consumer_partitions": partitions}
                cache = choose.choice([0, 2, 1000])
                await stack.enter_async_context(engine_over(log, store, VIEWS, projector_cache=cache, **given))
            await folded_up_to(store, logs[0].end, VIEWS)
        assert_folded(store, logs[0], VIEWS)

    asyncio.run(scenario())


@given(logs, seeds)
@settings(max_examples=50, deadline=None)
def test_when_a_view_is_new_beside_others(events, seed):
    async def scenario() -> None:
        choose = random.Random(seed)
        store = MemoryReadStore()
        upto = choose.randrange(len(events) + 1)
        await project_all(ScriptedLog(events[:upto]), store, VIEWS[2:])
        log = scripted(events, choose)
        await project_all(log, store, VIEWS)
        assert_folded(store, log, VIEWS)

    asyncio.run(scenario())
