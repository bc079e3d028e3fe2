"""Whatever happens to the projector, the views equal a plain fold of the log."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.event_store import StoredEvent
from infrastructure.settings import Settings
from projector.process import create_projector_process
from tests.projector.logs import logs
from tests.projector.running import (
    RunningProjector,
    all_done,
    assert_folded,
    at_once,
    engine_over,
    folded_up_to,
    project_all,
)
from tests.projector.touchy_view import TOUCHY
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC
from tests.support.bundled import VIEWS as BUNDLED

VIEWS = (*BUNDLED, TOUCHY)

seeds = st.integers(0, 2**32)


def scripted(events: Sequence[StoredEvent], choose: random.Random) -> ScriptedLog:
    """Batches of random sizes, broken off now and then, each subscription beginning a few events too early."""
    cuts = (choose.choice([0, 1, 1, 2, 3, 5, 8, 50]) for _ in iter(int, 1))
    return ScriptedLog(events, cuts, repeated=choose.randrange(6))


class Crash:
    """The process ends at one of its operations on the store, before or after that took effect."""

    def __init__(self, choose: random.Random) -> None:
        self.came = asyncio.Event()
        self._left = choose.randrange(1, 150)

    async def __call__(self, _operation: str, _collection: str) -> None:
        self._left -= 1
        if self._left <= 0:
            self.came.set()
            await asyncio.Event().wait()


async def dead(_operation: str, _collection: str) -> None:
    """Nothing that a dead process still begins takes effect."""
    await asyncio.Event().wait()


async def crashing_life(events: Sequence[StoredEvent], store: MemoryReadStore, choose: random.Random) -> None:
    """A projector that starts from what the store holds and dies somewhere on the way."""
    crash = Crash(choose)
    hooks = [crash, outage(operations=choose.randrange(4))]
    choose.shuffle(hooks)
    store.before, store.after = hooks
    log = scripted(events, choose)
    configured = Settings.of(projector_cache=choose.choice([0, 1, 3, 1000]), consumer_name="p", consumer_lease=0.6)
    process = create_projector_process(log, CODEC, store, VIEWS, configured, asyncio.Event(), delays=at_once)
    engine = RunningProjector(process, log, store)
    task = asyncio.create_task(process.coordinator.run())
    done, died = asyncio.create_task(all_done(log, engine, len(VIEWS))), asyncio.create_task(crash.came.wait())
    await asyncio.wait({done, died, task}, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done()
    store.before = dead
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for one in others:
            one.cancel()
        await asyncio.wait(others, timeout=0.01)
    store.before = store.after = outage(operations=0)


def lose_checkpoints(store: MemoryReadStore, choose: random.Random) -> None:
    """Some views forget how far they were."""
    kept: dict[str, Any] = store.collections.get("checkpoints", {})
    for key in [key for key in kept if choose.random() < 0.3]:
        del kept[key]


async def cuts_crashes_outages_and_repetitions(events: Sequence[StoredEvent], choose: random.Random) -> None:
    store = MemoryReadStore(switches=choose)
    for _ in range(choose.randrange(5)):
        upto = choose.randrange(len(events) + 1)
        await crashing_life(events[:upto], store, choose)
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
@settings(max_examples=150, deadline=None)
def test_after_any_cuts_crashes_outages_and_repetitions(events, seed):
    asyncio.run(cuts_crashes_outages_and_repetitions(events, random.Random(seed)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(logs, seeds)
@settings(max_examples=5_000, deadline=None)
def test_after_any_cuts_crashes_outages_and_repetitions_many_times(events, seed):
    asyncio.run(cuts_crashes_outages_and_repetitions(events, random.Random(seed)))


@given(logs, seeds)
@settings(max_examples=100, deadline=None)
def test_with_two_projectors_at_once(events, seed):
    async def scenario() -> None:
        choose = random.Random(seed)
        store = MemoryReadStore(switches=choose)
        if choose.random() < 0.5:
            await crashing_life(events, store, choose)
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
