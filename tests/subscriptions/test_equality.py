"""Whatever happens to processes with a consumer, its work comes to what the log says, once for each event."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from infrastructure.event_store import StoredEvent
from tests.subscriptions.counting import Counter, assert_counted, by_many
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.mishaps import crashing_life, lose_checkpoints, scripted, seeds
from tests.subscriptions.running import consume_all, consuming, everybody_at, process_of
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.lamp import LampSwitchedOff
from tests.support.tiny.logs import logs

NAMES = ("counter", "touchy")


def refuses(event: Any, _key: str) -> bool:
    """What can't be handled, whoever tries."""
    return isinstance(event, LampSwitchedOff) and event.lamp_id[-1] in "37"


def counters(store: MemoryReadStore) -> list[Counter]:
    """One that handles everything by keys of one stream each, and one that fails for some of many keys."""
    return [Counter(store, "counter"), Counter(store, "touchy", keys=by_many, refuses=refuses, attempts=2)]


async def cuts_crashes_outages_and_repetitions(events: Sequence[StoredEvent], choose: random.Random) -> None:
    store = MemoryReadStore(switches=choose)
    for _ in range(choose.randrange(5)):
        log = scripted(events[: choose.randrange(len(events) + 1)], choose)
        life = process_of(log, store, counters(store), asyncio.Event(), consumer_name="p")
        await crashing_life(life, len(NAMES), store, choose)
        lose_checkpoints(store, choose)
    log = scripted(events, choose)
    await consume_all(log, store, *counters(store), consumer_name="p", consumer_batch=choose.choice([1, 7, 8192]))
    assert_counted(store, events, *counters(store))


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
@settings(max_examples=80, deadline=None)
def test_with_two_or_three_processes_at_once(events, seed):
    async def scenario() -> None:
        choose = random.Random(seed)
        store = MemoryReadStore(switches=choose)
        partitions = choose.choice([1, 1, 3])
        if choose.random() < 0.5:
            life = process_of(
                scripted(events, choose),
                store,
                counters(store),
                asyncio.Event(),
                consumer_name="p",
                consumer_partitions=partitions,
            )
            await crashing_life(life, len(NAMES), store, choose)
        every_log = [scripted(events, choose) for _ in range(choose.choice([2, 3]))]
        async with contextlib.AsyncExitStack() as stack:
            for number, log in enumerate(every_log):
                given = {"consumer_name": f"p{number or ''}", "consumer_partitions": partitions}
                await stack.enter_async_context(consuming(log, store, *counters(store), **given))
            await everybody_at(store, every_log[0].end, *NAMES)
        assert_counted(store, events, *counters(store))

    asyncio.run(scenario())


@given(logs, seeds)
@settings(max_examples=50, deadline=None)
def test_when_a_consumer_is_new_beside_another(events, seed):
    async def scenario() -> None:
        choose = random.Random(seed)
        store = MemoryReadStore()
        upto = choose.randrange(len(events) + 1)
        await consume_all(ScriptedLog(events[:upto]), store, counters(store)[1], consumer_name="p")
        await consume_all(scripted(events, choose), store, *counters(store), consumer_name="p")
        assert_counted(store, events, *counters(store))

    asyncio.run(scenario())
