"""Who did what with dead letters, and when: in the event store, a stream for each consumer.

The intention is appended before the work, so that nothing is done without a trace; the outcome after it. An intention
without an outcome is of work that may have been done in part, and that a repetition completes.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec
import structlog
from msgspec import Struct

from infrastructure.clock import now_millis
from infrastructure.event_store import (
    ANY_REVISION,
    Appended,
    EventStoreUnavailable,
    NewEvent,
    StoredEvent,
)

log = structlog.get_logger(__name__)

CATEGORY = "dead_letter_audit"
REQUESTED = "DeadLettersRequested"
ENDED = "DeadLettersRequestEnded"

Action = Literal["retry", "discard"]

_MOST_POSITIONS = 1_000


class AuditLog(Protocol):
    """What is needed of the event store; see infrastructure.event_store.EventStore."""

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended: ...

    async def read_newest(self, stream: str, limit: int) -> list[StoredEvent]: ...


class Requested(Struct, frozen=True):
    """`by` is the subject of the token. What was asked for: a `group`, a `key`, single `positions`, or (none of them)
    all that the consumer had; `count` dead letters in this portion of it, whose positions (the first thousand) are
    told. `requested_at` is in epoch milliseconds."""

    request: str
    consumer: str
    action: Action
    by: str
    requested_at: int
    reason: str = ""
    group: str = ""
    key: str = ""
    count: int = 0
    positions: list[int] = []


class Ended(Struct, frozen=True):
    """How a request ended. `failures` are the fingerprints of what failed again and their messages; `fault` is why the
    request was not carried out to its end, empty where it was."""

    request: str
    ended_at: int
    replayed: int = 0
    discarded: int = 0
    remaining: int = 0
    failures: list[str] = []
    fault: str = ""


class Entry(Struct, frozen=True):
    """A request with its outcome, if that is known."""

    requested: Requested
    ended: Ended | None


class DeadLetterAudit:
    """The streams of all consumers, over one event store."""

    def __init__(self, event_log: AuditLog) -> None:
        self._log = event_log

    async def requested(self, consumer: str, action: Action, by: str, **told: Any) -> str:
        """Appends an intention; returns the name of the request. Raises EventStoreUnavailable: nothing may be done
        then."""
        positions = sorted(told.pop("positions", ()))
        request = Requested(
            request=uuid.uuid4().hex,
            consumer=consumer,
            action=action,
            by=by,
            requested_at=now_millis(),
            positions=positions[:_MOST_POSITIONS],
            **told,
        )
        await self._append(consumer, REQUESTED, request)
        log.info(
            "dead letters requested",
            consumer=consumer,
            action=action,
            subject=by,
            request=request.request,
            fingerprint=request.group,
            events=request.count,
        )
        return request.request

    async def ended(self, consumer: str, request: str, **outcome: Any) -> None:
        """Appends an outcome. Where it can't be, a warning is logged: the work itself is done."""
        ended = Ended(request, now_millis(), **outcome)
        try:
            await self._append(consumer, ENDED, ended)
        except EventStoreUnavailable as error:
            log.warning(
                "the outcome of a request for dead letters is not recorded",
                consumer=consumer,
                request=request,
                error=str(error),
            )

    async def history(self, consumer: str, limit: int) -> list[Entry]:
        """The consumer's last requests, the newest first. Raises EventStoreUnavailable."""
        # Each has two events at most, and those of several may be mixed.
        stored = await self._log.read_newest(stream_of(consumer), 2 * limit + 100)
        outcomes: dict[str, Ended] = {}
        entries: dict[str, Entry] = {}
        for event in stored:
            if event.type == ENDED:
                ended = msgspec.json.decode(event.data, type=Ended)
                outcomes.setdefault(ended.request, ended)
            elif event.type == REQUESTED:
                asked = msgspec.json.decode(event.data, type=Requested)
                entries.setdefault(asked.request, Entry(asked, outcomes.get(asked.request)))
        return list(entries.values())[:limit]

    async def _append(self, consumer: str, name: str, told: Struct) -> None:
        event = NewEvent(str(uuid.uuid4()), name, msgspec.json.encode(told), b"{}")
        await self._log.append(stream_of(consumer), ANY_REVISION, [event])


def stream_of(consumer: str) -> str:
    """The stream of what was done about a consumer's dead letters. Its category is of no aggregate, so consumers of the
    log pass by."""
    return f"{CATEGORY}-{consumer}"
