"""Groups of dead letters over HTTP: list, retry, discard; the last two a portion at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Any, Protocol

from litestar import get, post
from litestar.params import Parameter
from msgspec import Meta, Struct

from infrastructure.http.openapi import BODY, MALFORMED, MAX_POSITION, documented, json_body
from subscriptions.http.dead_letter_requests import (
    AWAY,
    GROUP,
    OPERATE,
    READ,
    TAGS,
    UNKNOWN,
    HttpRequest,
    Reason,
    sender,
)
from subscriptions.http.problems import as_problems
from subscriptions.http.responses import DeadLetterGroup, DeadLetterGroups, PortionOutcome
from subscriptions.operating.audited import Asked
from subscriptions.operating.dead_letter_groups import ConsumerGroup, Portion, PortionDone

_KEYS = 100


class GroupRetryRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A portion of a group: the `limit` keys after the position `after`. The first portion has neither `after` nor
    `asked_at`, each later one what the one before has answered. `reason` is kept in the history."""

    consumer: Annotated[str, Meta(min_length=1)]
    group: Annotated[str, Meta(pattern=GROUP)]
    after: Annotated[int, Meta(ge=-1, le=MAX_POSITION)] = -1
    asked_at: Annotated[int, Meta(ge=-1, le=MAX_POSITION)] = -1
    limit: Annotated[int, Meta(ge=1, le=500)] = _KEYS
    reason: Annotated[str, Meta(max_length=1000)] = ""


class GroupDiscardRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """As for a retry; the events that failed are to be left out of the consumer for good, and `reason` is kept."""

    consumer: Annotated[str, Meta(min_length=1)]
    group: Annotated[str, Meta(pattern=GROUP)]
    reason: Reason
    after: Annotated[int, Meta(ge=-1, le=MAX_POSITION)] = -1
    asked_at: Annotated[int, Meta(ge=-1, le=MAX_POSITION)] = -1
    limit: Annotated[int, Meta(ge=1, le=500)] = _KEYS


class WorkOnGroups(Protocol):
    """See subscriptions.operating.dead_letter_groups.GroupOperations."""

    async def page(
        self, consumer: str | None, *, after: str | None, limit: int
    ) -> tuple[list[ConsumerGroup], str | None]: ...

    async def of_fingerprint(self, consumer: str | None, fingerprint: str) -> list[ConsumerGroup]: ...

    async def retry(self, consumer: str, fingerprint: str, portion: Portion, asked: Asked) -> PortionDone: ...

    async def discard(self, consumer: str, fingerprint: str, portion: Portion, asked: Asked) -> PortionDone: ...


def group_routes(
    operations: WorkOnGroups, as_problems: Callable[[], AbstractContextManager[None]] = as_problems
) -> list[Any]:
    """The routes over one process's operations; `as_problems` raises Problem for what these raise."""

    @get(
        "/dead-letters/groups",
        summary="Dead letters that have failed alike",
        tags=TAGS,
        **documented(MALFORMED | AWAY, access=READ),
    )
    async def groups(
        consumer: Annotated[str | None, Parameter(description="only this consumer's; a view is one")] = None,
        group: Annotated[str | None, Parameter(description="only this one", pattern=GROUP)] = None,
        limit: Annotated[int, Parameter(ge=1, le=200, description="how many fingerprints at most")] = 50,
        after: Annotated[str | None, Parameter(description="only those after this one", pattern=GROUP)] = None,
    ) -> DeadLetterGroups:
        with as_problems():
            if group is not None:
                return DeadLetterGroups(list(map(_told, await operations.of_fingerprint(consumer, group))), None)
            page, more = await operations.page(consumer, after=after, limit=limit)
            return DeadLetterGroups(list(map(_told, page)), more)

    @post(
        "/dead-letters/groups/retry",
        summary="Replay a portion of a group",
        tags=TAGS,
        status_code=200,
        **documented(BODY | UNKNOWN | AWAY, body=json_body(GroupRetryRequest), access=OPERATE),
    )
    async def retry(request: HttpRequest, data: GroupRetryRequest) -> PortionOutcome:
        portion, asked = Portion(data.after, data.asked_at, data.limit), Asked(sender(request), data.reason)
        with as_problems():
            return _outcome(data.consumer, await operations.retry(data.consumer, data.group, portion, asked))

    @post(
        "/dead-letters/groups/discard",
        summary="Leave a portion of a group out of a consumer for good",
        tags=TAGS,
        status_code=200,
        **documented(BODY | UNKNOWN | AWAY, body=json_body(GroupDiscardRequest), access=OPERATE),
    )
    async def discard(request: HttpRequest, data: GroupDiscardRequest) -> PortionOutcome:
        portion, asked = Portion(data.after, data.asked_at, data.limit), Asked(sender(request), data.reason)
        with as_problems():
            return _outcome(data.consumer, await operations.discard(data.consumer, data.group, portion, asked))

    return [groups, retry, discard]


def _told(one: ConsumerGroup) -> DeadLetterGroup:
    group = one.group
    return DeadLetterGroup(
        consumer=one.consumer,
        target=group.owner,
        group=group.fingerprint,
        count=group.count,
        failed=group.failed,
        event_type=group.event_type,
        message=group.message,
        place=group.place,
        first_at=group.first_at,
        last_at=group.last_at,
        sample=group.sample,
    )


def _outcome(consumer: str, done: PortionDone) -> PortionOutcome:
    replayed = max(0, done.outcome.replayed - done.discarded)
    return PortionOutcome(
        consumer=consumer,
        replayed=replayed,
        discarded=done.discarded,
        remaining=done.outcome.remaining,
        errors=done.outcome.errors,
        next=done.next,
        asked_at=done.asked_at,
    )
