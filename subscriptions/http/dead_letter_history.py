"""What was done with dead letters over HTTP."""

from typing import Annotated, Any, Protocol

from litestar import get
from litestar.params import Parameter

from infrastructure.dead_letters.audit import Ended, Entry
from infrastructure.http.openapi import MALFORMED, documented
from subscriptions.http.dead_letter_requests import AWAY, READ, TAGS
from subscriptions.http.problems import as_problems
from subscriptions.http.responses import DeadLetterEntry, DeadLetterHistory, EntryOutcome


class HasHistory(Protocol):
    """See subscriptions.operating.dead_letter_desk.DeadLetterDesk."""

    async def history(self, consumer: str | None, limit: int) -> list[Entry]: ...


def history_route(desk: HasHistory) -> Any:
    """The route over one process's desk."""

    @get(
        "/dead-letters/history",
        summary="Who retried and discarded dead letters, when, why, and what came of it",
        tags=TAGS,
        **documented(MALFORMED | AWAY, access=READ),
    )
    async def history(
        consumer: Annotated[str | None, Parameter(description="only this consumer's; a view is one")] = None,
        limit: Annotated[int, Parameter(ge=1, le=500, description="how many at most")] = 50,
    ) -> DeadLetterHistory:
        with as_problems():
            return DeadLetterHistory([_entry(one) for one in await desk.history(consumer, limit)])

    return history


def _entry(entry: Entry) -> DeadLetterEntry:
    asked = entry.requested
    return DeadLetterEntry(
        request=asked.request,
        consumer=asked.consumer,
        action=asked.action,
        by=asked.by,
        reason=asked.reason,
        group=asked.group,
        key=asked.key,
        count=asked.count,
        positions=asked.positions,
        requested_at=asked.requested_at,
        outcome=None if entry.ended is None else _outcome(entry.ended),
    )


def _outcome(ended: Ended) -> EntryOutcome:
    return EntryOutcome(
        ended_at=ended.ended_at,
        replayed=ended.replayed,
        discarded=ended.discarded,
        remaining=ended.remaining,
        failures=ended.failures,
        fault=ended.fault,
    )
