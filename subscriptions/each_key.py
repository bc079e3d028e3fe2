"""For consumers whose work is a call to the outside for each event: several keys at a time, each key's events in order.

A dependency that is away holds everything up, and nothing is lost. What fails for one event alone, however, must hold
up only the later events of its own key: it is parked with them. Which of both it is, others show: when the same kind of
work has succeeded for another event since this one's first failure, the dependency is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable, backoff
from subscriptions.consumer import Batch, Step
from subscriptions.errors import ConsumerBroken, Stopping
from subscriptions.store.retrying_store import Delays

_NO_EVENTS_FAULT = (ReadStoreUnavailable, ReadStoreRefused, EventStoreUnavailable)

Effect = Callable[[RecordedEvent[Any], str], Awaitable[bool]]
"""effect(event, key): does the work for one of the event's keys, True when that took the dependency to do, False when
there was nothing to do; raises when it can't."""

Place = tuple[int, str]
"""An event's position, and one of its keys."""


class EachKey:
    """Does the work of batches: `concurrency` keys at a time. What fails is attempted `attempts` times, with pauses as
    `delays` says, in seconds.

    One per consumer: it remembers, from one batch to the next, what keeps failing because a dependency is away.
    """

    def __init__(self, effect: Effect, *, concurrency: int = 16, attempts: int = 5, delays: Delays = backoff) -> None:
        self._effect = effect
        self._places = asyncio.Semaphore(concurrency)
        self._attempts = attempts
        self._delays = delays
        self._succeeded = 0
        # For each event that has met an unavailable dependency: how often, and how many had succeeded by then.
        self._unavailable: dict[Place, tuple[int, int]] = {}

    async def take(self, batch: Batch) -> None:
        """Does the work of a batch. What fails for a reason of its own is parked with the later events of its key.

        Raises what says that a dependency or a store is away, once every key has gone as far as it can: the batch is
        to come again, and what was done must be recognised then. Raises ConsumerBroken when too many keys fail one
        after another, and Stopping.
        """
        queues = _queues(batch)
        waiting = {(step.stored.position, key) for key, steps in queues.items() for step in steps}
        self._unavailable = {place: seen for place, seen in self._unavailable.items() if place in waiting}
        outcomes: dict[Place, Exception | None] = {}
        ends = await asyncio.gather(
            *(self._one_key(key, steps, outcomes) for key, steps in queues.items()), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        for step in batch.steps:
            for key in step.keys:
                _settle(batch, step, key, outcomes)

    async def _one_key(self, key: str, steps: list[Step], outcomes: dict[Place, Exception | None]) -> None:
        for step in steps:
            async with self._places:
                failure = await self._one_event(step, key)
            outcomes[step.stored.position, key] = failure
            if failure is not None:
                return

    async def _one_event(self, step: Step, key: str) -> Exception | None:
        """What makes the event be parked; None when its work is done."""
        place = (step.stored.position, key)
        failure: Exception | None = None
        for pause in (0.0, *islice(self._delays(), self._attempts - 1)):
            await asyncio.sleep(pause)
            try:
                did_something = await self._effect(step.recorded, key)
            except (ConsumerBroken, Stopping):
                raise
            except DependencyUnavailable as error:
                failure = error
                times, succeeded_then = self._unavailable.get(place, (0, self._succeeded))
                self._unavailable[place] = (times + 1, succeeded_then)
                if times + 1 >= self._attempts and self._succeeded > succeeded_then:
                    return error
            except Exception as error:
                failure = error
            else:
                self._succeeded += did_something
                return None
        if isinstance(failure, (*_NO_EVENTS_FAULT, DependencyUnavailable)):
            raise failure
        return failure


def _queues(batch: Batch) -> dict[str, list[Step]]:
    """Each key's events that are to be handled, in order."""
    queues: dict[str, list[Step]] = {}
    for step in batch.steps:
        position = step.stored.position
        for key in step.keys:
            if not batch.is_discarded(position, key) and not batch.is_parked(key, position):
                queues.setdefault(key, []).append(step)
    return queues


def _settle(batch: Batch, step: Step, key: str, outcomes: dict[Place, Exception | None]) -> None:
    """Parks what failed and what stands behind it; in commit order, as if the events had been handled one by one."""
    position = step.stored.position
    if batch.is_discarded(position, key):
        return
    if batch.is_parked(key, position):
        batch.park_behind(step, key)
        return
    failure = outcomes[position, key]
    if failure is None:
        batch.succeeded()
    else:
        batch.park(step, key, failure)
