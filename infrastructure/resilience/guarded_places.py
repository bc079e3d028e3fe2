"""A bulkhead before a guard: together they are the policy of a store that everything depends on."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from infrastructure.resilience import metrics
from infrastructure.resilience.bulkhead import Bulkhead, BulkheadFull
from infrastructure.resilience.guard import Guard, Unavailable

T = TypeVar("T")


class GuardedPlaces:
    """So many calls at a time to what `guard` stands before, so many more that wait, and the rest refused at once.
    Those that wait when the guard opens are refused in their turn, at once too."""

    def __init__(self, guard: Guard, concurrency: int, queue: int, unavailable: Unavailable) -> None:
        self._guard = guard
        self._bulkhead = Bulkhead(concurrency, queue)
        self._unavailable = unavailable
        self._refused = metrics.BULKHEAD_REFUSED.labels(guard.name)
        metrics.show_bulkhead(guard.name, self._bulkhead)

    async def call(self, operation: Callable[[], Awaitable[T]], seconds: float) -> T:
        """As Guard.call; the seconds begin when the call has a place."""
        bulkhead = self._bulkhead
        try:
            await bulkhead.enter()
        except BulkheadFull as full:
            self._refused.inc()
            raise self._unavailable(f"not asked: {full}") from None
        try:
            return await self._guard.call(operation, seconds)
        finally:
            bulkhead.leave()
