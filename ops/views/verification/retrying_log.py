"""Reads the log, and goes on where a connection was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from infrastructure.event_store import EventStoreUnavailable, StoredEvent
from infrastructure.resilience import backoff
from ops.views.verification.ports import EventSource

_MAX_FAILURES = 10


async def read_with_retries(log: EventSource, until: int) -> AsyncIterator[StoredEvent]:
    """Every event up to a position, in order. Raises EventStoreUnavailable after ten failures in a row."""
    after: int | None = None
    failures, delays = 0, backoff()
    while True:
        try:
            async with aclosing(log.read_all(after)) as events:  # type: ignore[type-var]
                async for event in events:
                    if event.position > until:
                        return
                    yield event
                    after, failures, delays = event.position, 0, backoff()
            return
        except EventStoreUnavailable:
            failures += 1
            if failures == _MAX_FAILURES:
                raise
            await asyncio.sleep(next(delays))
