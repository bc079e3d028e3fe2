"""For consumers that handle one event at a time: what fails is tried again, then parked with its key."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable, backoff
from infrastructure.telemetry.spans import ERROR_TYPE, note
from subscriptions.consumer import Batch, Step
from subscriptions.errors import ConsumerBroken, Stopping
from subscriptions.spans import event_span
from subscriptions.store.retrying_store import Delays

_NO_EVENTS_FAULT = (ReadStoreUnavailable, ReadStoreRefused, EventStoreUnavailable, DependencyUnavailable)

Handle = Callable[[RecordedEvent[Any], str], Awaitable[None]]
"""handle(event, key): does the work for one of the event's keys; raises when it can't."""


async def take_each(batch: Batch, handle: Handle, *, attempts: int = 3, delays: Delays = backoff) -> None:
    """Handles a batch event by event, key by key, in order. What still fails at the last of `attempts` is parked with
    its key, and so are the key's later events. Pauses between attempts follow `delays`, in seconds.

    A store or another dependency that is away is no event's fault, nor is a store that refuses: after the last attempt
    that is raised, and nothing is parked.
    Raises ConsumerBroken when too many keys fail one after another, and Stopping.
    """
    for step in batch.steps:
        position = step.stored.position
        for key in step.keys:
            if batch.is_discarded(position, key):
                continue
            if batch.is_parked(key, position):
                batch.park_behind(step, key)
                continue
            with event_span(batch.consumer, step.stored):
                error = await _attempt(step, key, handle, attempts, delays)
                if error is not None:
                    note({ERROR_TYPE: type(error).__qualname__})
            if error is None:
                batch.succeeded()
            elif isinstance(error, _NO_EVENTS_FAULT):
                raise error
            else:
                batch.park(step, key, error)


async def take_side_by_side(
    batch: Batch, handle: Handle, *, at_once: int, attempts: int = 3, delays: Delays = backoff
) -> None:
    """As `take_each`, for work that waits for others: up to `at_once` keys are seen to at the same time, the events of
    each of them in order.

    When one of them finds that a dependency is away, no other is begun, and those under way are finished before that is
    raised.
    """
    waiting = iter(batch.by_key().values())
    failures: list[Exception] = []

    async def work() -> None:
        for one in waiting:
            if failures:
                return
            try:
                await take_each(one, handle, attempts=attempts, delays=delays)
            except Exception as error:
                failures.append(error)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # What was waited for was cancelled, not this worker: a group of tasks would take it for done.
                failures.append(RuntimeError("what the work waited for was cancelled"))
                failures[-1].__cause__ = error

    async with asyncio.TaskGroup() as workers:
        for _ in range(at_once):
            workers.create_task(work())
    if failures:
        raise failures[0]


async def _attempt(step: Step, key: str, handle: Handle, attempts: int, delays: Delays) -> Exception | None:
    failure: Exception | None = None
    for pause in (0.0, *islice(delays(), attempts - 1)):
        await asyncio.sleep(pause)
        try:
            await handle(step.recorded, key)
        except (ConsumerBroken, Stopping):
            raise
        except Exception as error:
            failure = error
        else:
            return None
    return failure
