"""Work on dead letters between its two entries in the audit."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from msgspec import Struct

from infrastructure.dead_letters.audit import Action, DeadLetterAudit
from subscriptions.operating.replays import Outcome

UNKNOWN = "anonymous"
"""Whoever asks where nobody is asked for a token."""

_MOST_FAILURES = 20


class Positioned(Protocol):
    """A dead letter of any kind."""

    @property
    def position(self) -> int: ...


class Asked(Struct, frozen=True):
    """Who asks, and why."""

    by: str
    reason: str = ""


class Told:
    """What is to be told of the work when it has ended."""

    def __init__(self) -> None:
        self.discarded = 0
        self._outcome = Outcome(0, 0, [])

    def told(self, outcome: Outcome) -> Outcome:
        """Takes down the outcome, in which what was discarded is among what was replayed; and returns it."""
        self._outcome = outcome
        return outcome

    async def end(self, audit: DeadLetterAudit, consumer: str, request: str, fault: str) -> None:
        """Appends it."""
        outcome = self._outcome
        await audit.ended(
            consumer,
            request,
            replayed=max(0, outcome.replayed - self.discarded),
            discarded=self.discarded,
            remaining=outcome.remaining,
            failures=outcome.failures[:_MOST_FAILURES],
            fault=fault,
        )


@asynccontextmanager
async def audited(
    audit: DeadLetterAudit,
    consumer: str,
    action: Action,
    asked: Asked,
    records: Sequence[Positioned],
    *,
    key: str = "",
    group: str = "",
) -> AsyncIterator[Told]:
    """Appends that `records` are to be replayed or discarded, then, after the block, what came of it. Raises
    EventStoreUnavailable before the block."""
    request = await audit.requested(
        consumer,
        action,
        asked.by,
        reason=asked.reason,
        key=key,
        group=group,
        count=len(records),
        positions={record.position for record in records},
    )
    told = Told()
    try:
        yield told
    except Exception as error:
        await told.end(audit, consumer, request, f"{type(error).__name__}: {error}"[:1000])
        raise
    await told.end(audit, consumer, request, "")
