"""Dead letters over HTTP: list, show, retry, discard; as every service with consumers has them."""

from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import Parameter

from domain.model.access import Access
from inbound.dead_letters import DeadLetterRecord
from inbound.http.problems import as_problems
from inbound.operating import DeadLetterOperations
from infrastructure.http.openapi import BODY, MALFORMED, MAX_POSITION, documented, json_body, whole_number
from infrastructure.inbound.messages import IncomingMessage
from infrastructure.security.identity import identity_of
from subscriptions.http.dead_letters import DiscardRequest, RetryRequest
from subscriptions.http.responses import DeadLetter, DeadLetters, DeadLetterSummary, RetryOutcome
from subscriptions.parking.parked_events import readable

_TAGS = ["dead letters"]
_READ = Access("dead-letters:read", shared=True)
_OPERATE = Access("dead-letters:operate", shared=True)
_UNKNOWN = {404: "There is no such source, or no such dead letter"}
_BUSY = {409: "It is being retried, or handled, by somebody else"}
_AWAY = {503: "A store or the command API can't be reached"}


def dead_letter_routes(operations: DeadLetterOperations) -> list[Any]:
    """The routes over the stores; any process serves them for all."""

    @get(
        "/dead-letters",
        summary="Messages set aside because they could not be handled",
        tags=_TAGS,
        **documented(
            MALFORMED | _AWAY,
            parameters=[whole_number("after", "query", "only those after this position", -1, MAX_POSITION)],
            access=_READ,
        ),
    )
    async def dead_letters(
        consumer: Annotated[str | None, Parameter(description="only this source's, as inbound_warehouse")] = None,
        key: Annotated[str | None, Parameter(description="only this key's")] = None,
        limit: Annotated[int, Parameter(ge=1, le=500, description="how many at most")] = 50,
        after: Annotated[int, Parameter(ge=-1, le=MAX_POSITION)] = -1,
    ) -> DeadLetters:
        with as_problems():
            page, more = await operations.page(consumer, key, after=after, limit=limit)
        return DeadLetters([_summary(one) for one in page], page[-1].position if more else None)

    @get(
        "/dead-letters/{consumer:str}/{position:int}",
        summary="One dead letter with the message",
        tags=_TAGS,
        **documented(
            MALFORMED | _UNKNOWN | _AWAY,
            parameters=[whole_number("position", "path", "the dead letter's position", 0, MAX_POSITION)],
            access=_READ,
        ),
    )
    async def dead_letter(consumer: str, position: Annotated[int, Parameter(ge=0, le=MAX_POSITION)]) -> DeadLetter:
        with as_problems():
            record, message = await operations.one(consumer, position)
        return DeadLetter(
            _summary(record), "" if message is None else readable(message.body), _metadata(record, message)
        )

    @post(
        "/dead-letters/retry",
        summary="Handle dead letters again, in order",
        tags=_TAGS,
        status_code=200,
        **documented(BODY | _UNKNOWN | _BUSY | _AWAY, body=json_body(RetryRequest), access=_OPERATE),
    )
    async def retry(data: RetryRequest) -> RetryOutcome:
        with as_problems():
            outcome = await operations.retry(data.consumer, data.key)
        return RetryOutcome(data.consumer, outcome.replayed, 0, outcome.remaining, outcome.errors)

    @post(
        "/dead-letters/discard",
        summary="Leave a message out for good, and handle what stood behind it",
        tags=_TAGS,
        status_code=200,
        **documented(BODY | _UNKNOWN | _BUSY | _AWAY, body=json_body(DiscardRequest), access=_OPERATE),
    )
    async def discard(request: Request[Any, Any, Any], data: DiscardRequest) -> RetryOutcome:
        by = identity_of(request.scope).subject
        with as_problems():
            outcome = await operations.discard(data.consumer, data.position, data.reason, by)
        return RetryOutcome(data.consumer, outcome.replayed, 1, outcome.remaining, outcome.errors)

    return [dead_letters, dead_letter, retry, discard]


def _summary(one: DeadLetterRecord) -> DeadLetterSummary:
    return DeadLetterSummary(
        consumer=one.consumer,
        target=one.consumer,
        kind="key" if one.key else "message",
        keys=[one.key or one.identity],
        first=bool(one.first),
        stream=one.origin.queue
        if one.origin.queue_partition < 0
        else f"{one.origin.queue}[{one.origin.queue_partition}]",
        revision=max(0, one.origin.queue_offset),
        position=one.position,
        event_type=one.origin.event_type or "-",
        error=f"{one.error_class}: {one.error}",
        recorded_at=one.origin.received_at,
        parked_at=one.parked_at,
    )


def _metadata(one: DeadLetterRecord, message: IncomingMessage | None) -> str:
    """All else that is known, as JSON."""
    told = {
        "message": one.identity,
        "event_source": one.origin.event_source,
        "event_id": one.origin.event_id,
        "error_class": one.error_class,
        "error_code": one.error_code,
        "attempts": one.attempts,
        "bytes": one.origin.size,
        "content_type": message.content_type if message else "",
        "headers": dict(message.headers) if message else {},
    }
    return msgspec.json.encode(told).decode()
