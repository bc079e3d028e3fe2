"""Dead letters over HTTP: list, show, retry, discard."""

from typing import Annotated, Any

from litestar import get, post
from litestar.params import Parameter
from msgspec import Meta, Struct

from infrastructure.dead_letters.failure import fault_number
from infrastructure.http.openapi import BODY, MALFORMED, MAX_POSITION, documented, json_body, whole_number
from subscriptions.http.dead_letter_groups import group_routes
from subscriptions.http.dead_letter_history import history_route
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
from subscriptions.http.responses import DeadLetter, DeadLetters, DeadLetterSummary, RetryOutcome
from subscriptions.operating.dead_letter_desk import DeadLetterDesk
from subscriptions.parking.parked_events import ParkedEvent


class RetryRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`key` is a key's or a stream's; without it all of the consumer's dead letters are retried. `reason` is kept
    in the history."""

    consumer: Annotated[str, Meta(min_length=1)]
    key: Annotated[str, Meta(min_length=1)] | None = None
    reason: Annotated[str, Meta(max_length=1000)] = ""


class DiscardRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The event at `position` is to be left out of the consumer for good; `reason` is kept with it."""

    consumer: Annotated[str, Meta(min_length=1)]
    position: Annotated[int, Meta(ge=0, le=MAX_POSITION)]
    reason: Reason


def dead_letter_routes(desk: DeadLetterDesk) -> list[Any]:
    """The routes over one process's desk."""
    operations = desk.letters

    @get(
        "/dead-letters",
        summary="Events set aside because a consumer could not handle them",
        tags=TAGS,
        **documented(
            MALFORMED | UNKNOWN | AWAY,
            parameters=[whole_number("after", "query", "only those after this position", -1, MAX_POSITION)],
            access=READ,
        ),
    )
    async def dead_letters(
        consumer: Annotated[str | None, Parameter(description="only this consumer's; a view is one")] = None,
        key: Annotated[str | None, Parameter(description="only this key's (document's) or stream's")] = None,
        group: Annotated[str | None, Parameter(description="only this group's: a fingerprint", pattern=GROUP)] = None,
        limit: Annotated[int, Parameter(ge=1, le=500, description="how many at most")] = 50,
        after: Annotated[int, Parameter(ge=-1, le=MAX_POSITION)] = -1,
    ) -> DeadLetters:
        with as_problems():
            fault = None if group is None else fault_number(group)
            page, more = await operations.page(consumer, key, after=after, limit=limit, fault=fault)
        return DeadLetters([_summary(one) for one in page], page[-1].position if more else None)

    @get(
        "/dead-letters/{consumer:str}/{position:int}",
        summary="One dead letter with its data",
        tags=TAGS,
        **documented(
            MALFORMED | UNKNOWN | AWAY,
            parameters=[whole_number("position", "path", "the event's commit position", 0, MAX_POSITION)],
            access=READ,
        ),
    )
    async def dead_letter(consumer: str, position: Annotated[int, Parameter(ge=0, le=MAX_POSITION)]) -> DeadLetter:
        with as_problems():
            one = await operations.one(consumer, position)
        return DeadLetter(_summary(one), one.data, one.metadata)

    @post(
        "/dead-letters/retry",
        summary="Replay dead letters in order",
        tags=TAGS,
        status_code=200,
        **documented(BODY | UNKNOWN | AWAY, body=json_body(RetryRequest), access=OPERATE),
    )
    async def retry(request: HttpRequest, data: RetryRequest) -> RetryOutcome:
        with as_problems():
            outcome = await operations.retry(data.consumer, data.key, by=sender(request), reason=data.reason)
        return RetryOutcome(data.consumer, outcome.replayed, 0, outcome.remaining, outcome.errors)

    @post(
        "/dead-letters/discard",
        summary="Leave an event out of a consumer for good",
        tags=TAGS,
        status_code=200,
        **documented(BODY | UNKNOWN | AWAY, body=json_body(DiscardRequest), access=OPERATE),
    )
    async def discard(request: HttpRequest, data: DiscardRequest) -> RetryOutcome:
        with as_problems():
            outcome = await operations.discard(data.consumer, data.position, data.reason, by=sender(request))
        replayed = max(0, outcome.replayed - 1)
        return RetryOutcome(data.consumer, replayed, 1, outcome.remaining, outcome.errors)

    return [dead_letters, dead_letter, retry, discard, *group_routes(desk.groups), history_route(desk)]


def _summary(one: ParkedEvent) -> DeadLetterSummary:
    return DeadLetterSummary(
        consumer=one.consumer,
        target=one.target,
        kind=one.kind,
        keys=[one.key],
        first=bool(one.first),
        stream=one.stream,
        revision=one.revision,
        position=one.position,
        event_type=one.event_type,
        error=one.error,
        recorded_at=one.recorded_at,
        parked_at=one.parked_at,
        group=one.cause.fingerprint,
        place=one.place,
        retries=one.retries,
        retried_at=one.retried_at,
    )
