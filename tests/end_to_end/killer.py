"""Kills processes by SIGKILL, one after another."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import Protocol

from tests.support.services import Service


class Killable(Protocol):
    """A world of processes."""

    async def kill(self, victim: Service) -> None:
        """Kills it, and starts it again."""

    async def answers(self, service: Service) -> None:
        """Waits until it can be used again."""


class Killer:
    """Kills one of the victims every second, whether or not the one before is back; not one that is still starting."""

    def __init__(self, world: Killable, victims: Sequence[Service]) -> None:
        self.kills: Counter[str] = Counter()
        self.overlapping = 0
        self._world = world
        self._victims = tuple(victims)
        self._order = cycle(self._victims)
        self._starting: dict[Service, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        clock = asyncio.get_running_loop()
        due = clock.time()
        while True:
            due += 1
            await asyncio.sleep(due - clock.time())
            if len(self._starting) == len(self._victims):
                continue
            victim = next(one for one in self._order if one not in self._starting)
            self.overlapping += bool(self._starting)
            self.kills[victim.name] += 1
            await self._world.kill(victim)
            self._starting[victim] = asyncio.create_task(self._back(victim))

    async def _back(self, victim: Service) -> None:
        await self._world.answers(victim)
        del self._starting[victim]

    async def all_back(self) -> None:
        await asyncio.gather(*self._starting.values())
