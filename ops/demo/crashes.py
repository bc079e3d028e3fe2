"""kill -9 for one service after another, while orders are placed and while they are fulfilled."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from embedded.supervisor.service import State, SupervisedService
from embedded.supervisor.supervisor import Supervisor
from ops.demo.lag import LagSample
from ops.locations import COMMAND_API, CONSUMERS, EVENT_RELAY, NODE, PAYMENT_PROVIDER, PROCESS_MANAGER, PROJECTOR

# Which service is killed, and after which part of the baskets.
PLAN = ((NODE, 0.2), (EVENT_RELAY, 0.35), (COMMAND_API, 0.45), (PROJECTOR, 0.7))
# Which are killed after that, each when the one before is back, while there are orders that are not at their end.
PLAN_AFTER = (PROCESS_MANAGER, PAYMENT_PROVIDER, CONSUMERS, EVENT_RELAY)


@dataclass(slots=True)
class Crash:
    """One kill; times are monotonic seconds."""

    service: str
    after_baskets: int
    killed_at: float
    ready_at: float | None = None

    @property
    def outage(self) -> float | None:
        """Seconds until the service was ready again."""
        return None if self.ready_at is None else self.ready_at - self.killed_at

    def disturbs(self, sample: LagSample) -> bool:
        """Whether the service was down at any time between the acknowledgement and the read."""
        visible_at = sample.acknowledged_at + sample.seconds
        return sample.acknowledged_at <= (self.ready_at or visible_at) and visible_at >= self.killed_at


class Crashes:
    """Carries out the plan as a load of so many baskets goes on, and notes when each service is back; a load of no
    baskets has no crashes."""

    def __init__(self, baskets: int, announce: Callable[[str], None]) -> None:
        self.done: list[Crash] = []
        self.supervisor: Supervisor | None = None
        self._todo = [(service, max(1, int(part * baskets))) for service, part in PLAN] if baskets else []
        self._todo_after = list(PLAN_AFTER) if baskets else []
        self._announce = announce
        self._baskets = 0
        self._all_back = asyncio.Event()

    @property
    def not_done(self) -> list[str]:
        """Services that the plan names and that are still to be killed."""
        return [*(service for service, _ in self._todo), *self._todo_after]

    def basket_done(self) -> None:
        """One more basket is through; kill what the plan says."""
        self._baskets += 1
        while self.supervisor is not None and self._todo and self._baskets >= self._todo[0][1]:
            self._kill(self.supervisor, self._todo.pop(0)[0])

    def next_after(self) -> bool:
        """Orders are being fulfilled: kill the next of those that are killed then, if all are back. Whether there are
        more to be killed, also where the orders were faster."""
        if self.supervisor is not None and self._todo_after and (not self.done or self._all_back.is_set()):
            self._kill(self.supervisor, self._todo_after.pop(0))
        return bool(self._todo_after)

    def _kill(self, supervisor: Supervisor, name: str) -> None:
        self._all_back.clear()
        self.done.append(Crash(name, self._baskets, time.monotonic()))
        pid = supervisor.services[name].kill()
        self._announce(f"kill -9 {pid} ({name}) after {self._baskets:,} baskets")

    def changed(self, service: SupervisedService) -> None:
        """A service changed its state."""
        if service.state is not State.READY:
            return
        for crash in self.done:
            if crash.service == service.spec.name and crash.ready_at is None:
                crash.ready_at = time.monotonic()
        if all(crash.ready_at is not None for crash in self.done):
            self._all_back.set()

    async def all_back(self, timeout: float) -> None:
        """Wait until every killed service is ready again.

        Raises:
            TimeoutError: one is not within `timeout` seconds.
        """
        if self.done:
            async with asyncio.timeout(timeout):
                await self._all_back.wait()
