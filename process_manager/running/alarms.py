"""When the timers of many instances are due: one task for all of them. What is durable of a timer is in its stream."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime

from domain.model.process_events import TimerSet
from infrastructure.clock import now_millis
from process_manager.instances.instance import Instance

Ring = Callable[[str, TimerSet], None]
"""ring(instance, timer): a timer is due; it may have been cancelled since."""

# The clock may be set, and a sleep may be late.
_LONGEST_SLEEP = 5.0


class Alarms:
    """Of the instances that it follows; `ring` is called for each timer that is due, once for each time it is set."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._set: dict[str, dict[str, TimerSet]] = {}
        self._heap: list[tuple[float, str, str, str]] = []
        self._news = asyncio.Event()

    def follow(self, instance: Instance) -> None:
        """The timers of an instance are these now."""
        known = self._set.get(instance.id, {})
        if not instance.timers:
            self._set.pop(instance.id, None)
            return
        for name, timer in instance.timers.items():
            if name not in known or known[name].timer != timer.timer:
                heapq.heappush(self._heap, (_millis(timer.due_at), instance.id, name, timer.timer))
                self._news.set()
        self._set[instance.id] = dict(instance.timers)

    def follows(self, instance_id: str) -> bool:
        """Whether it has a timer that will ring here."""
        return instance_id in self._set

    async def run(self) -> None:
        """Rings until it is cancelled."""
        while True:
            self._news.clear()
            self._ring_due()
            seconds = _LONGEST_SLEEP
            if self._heap:
                seconds = min(seconds, max(0.0, (self._heap[0][0] - now_millis()) / 1000))
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _ring_due(self) -> None:
        while self._heap and self._heap[0][0] <= now_millis():
            _, instance_id, name, timer_id = heapq.heappop(self._heap)
            timers = self._set.get(instance_id, {})
            timer = timers.get(name)
            if timer is not None and timer.timer == timer_id:
                del timers[name]
                if not timers:
                    del self._set[instance_id]
                self._ring(instance_id, timer)


def _millis(moment: datetime) -> float:
    return moment.timestamp() * 1000
