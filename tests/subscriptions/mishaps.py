"""What may happen to a process that follows the log: cuts and repetitions, crashes, outages, lost checkpoints."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Protocol

from hypothesis import strategies as st

from infrastructure.event_store import StoredEvent
from subscriptions.coordination.coordinator import Coordinator
from tests.subscriptions.memory_read_store import MemoryReadStore, outage
from tests.subscriptions.running import Following, all_done
from tests.subscriptions.scripted_log import ScriptedLog

seeds = st.integers(0, 2**32)


class Engine(Following, Protocol):
    """A process over a log."""

    coordinator: Coordinator
    log: ScriptedLog


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


async def crashing_life(engine: Engine, consumers: int, store: MemoryReadStore, choose: random.Random) -> None:
    """A process that starts from what the store holds and dies somewhere on the way."""
    crash = Crash(choose)
    hooks = [crash, outage(operations=choose.randrange(4))]
    choose.shuffle(hooks)
    store.before, store.after = hooks
    task = asyncio.create_task(engine.coordinator.run())
    done = asyncio.create_task(all_done(engine.log, engine, consumers))
    died = asyncio.create_task(crash.came.wait())
    await asyncio.wait({done, died, task}, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done()
    await end_of_the_process(store)


async def end_of_the_process(store: MemoryReadStore) -> None:
    """Ends every task but this one, at once, as if they were a process that is killed."""
    store.before = dead
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for one in others:
            one.cancel()
        await asyncio.wait(others, timeout=0.01)
    store.before = store.after = outage(operations=0)


def lose_checkpoints(store: MemoryReadStore, choose: random.Random) -> None:
    """Some consumers forget how far they were."""
    kept: dict[str, Any] = store.collections.get("checkpoints", {})
    for key in [key for key in kept if choose.random() < 0.3]:
        del kept[key]
