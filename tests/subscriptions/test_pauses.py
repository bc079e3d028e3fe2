"""How long a consumer that failed waits before it begins again from its checkpoint."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.resilience import DependencyUnavailable
from infrastructure.settings import Settings
from subscriptions.consumer import Batch
from subscriptions.coordination.plain_workload import PlainWorkload
from subscriptions.process import create_coordinator
from tests.subscriptions.counting import Counter, assert_counted
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import TINY_CODEC
from tests.support.tiny.logs import TinyLog, installed


class Faulty(Counter):
    """Counts, except that each of its next batches fails with the first fault that is left."""

    def __init__(self, store: MemoryReadStore, *faults: Exception) -> None:
        super().__init__(store)
        self.faults = list(faults)
        self.failed_at: list[float] = []
        self.began_at: list[float] = []

    async def take(self, batch: Batch) -> None:
        self.began_at.append(asyncio.get_running_loop().time())
        if self.faults:
            self.failed_at.append(asyncio.get_running_loop().time())
            raise self.faults.pop(0)
        await super().take(batch)


class Pauses:
    """The pauses asked for, which are none: a series each time that a consumer fails anew."""

    def __init__(self) -> None:
        self.series: list[int] = []

    def __call__(self) -> Iterator[float]:
        mine = len(self.series)
        self.series.append(0)
        while True:
            self.series[mine] += 1
            yield 0.0


async def counted(events: TinyLog, store: MemoryReadStore, counter: Faulty, pauses: Pauses, later: TinyLog) -> None:
    """Runs the counter over the events, and then, with a fault for each of them, over the later ones."""
    log, stop = ScriptedLog(events.events), asyncio.Event()
    given: Any = Settings.of(consumer_lease=0.6)
    workload = PlainWorkload(store, [counter], 1)
    coordinator = create_coordinator("counting", workload, log, TINY_CODEC, store, given, stop, delays=pauses)
    running = asyncio.create_task(coordinator.run())
    try:
        await _counted_until(store, log)
        for event in later.events[len(events.events) :]:
            counter.faults.append(RuntimeError("a fault of the consumer's own"))
            log.append(event)
            await _counted_until(store, log)
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
    assert_counted(store, log.events, counter)


async def _counted_until(store: MemoryReadStore, log: ScriptedLog) -> None:
    async with asyncio.timeout(60):
        while store.documents("checkpoints").get("counter:1:0", {}).get("_position") != log.end:
            await asyncio.sleep(0)


async def test_each_failure_in_a_row_has_the_next_pause_and_progress_begins_the_series_anew():
    events = TinyLog(installed("l1"), installed("l2"))
    later = TinyLog(installed("l1"), installed("l2"), installed("l3"), installed("l4"))
    store, pauses = MemoryReadStore(), Pauses()
    faults = [RuntimeError("one"), RuntimeError("two"), RuntimeError("three")]
    await counted(events, store, Faulty(store, *faults), pauses, later)
    # Three in a row share a series; each later fault came after progress, and begins one of its own.
    assert pauses.series == [3, 1, 1]


@pytest.mark.parametrize(("alone", "waits"), [(False, True), (True, False)], ids=["away", "this call alone"])
async def test_it_comes_again_no_sooner_than_its_dependency_asks(alone: bool, waits: bool):
    events, store = TinyLog(installed("l1")), MemoryReadStore()
    asked = 0.3 if waits else 1e6  # what is asked of others is no reason to wait for this one: it would never end
    counter = Faulty(store, DependencyUnavailable("provider", "it is busy", asked, alone=alone))
    await counted(events, store, counter, Pauses(), events)
    if waits:
        assert counter.began_at[-1] - counter.failed_at[0] >= 0.29
