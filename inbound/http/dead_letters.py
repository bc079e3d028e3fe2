"""Dead letters over HTTP: list, show, retry, discard, groups, history; as every service with consumers has them."""

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import Parameter

from inbound.desk import InboundDesk
from inbound.http.problems import as_problems
from inbound.records import DeadLetterRecord
from infrastructure.dead_letters.failure import fault_number
from infrastructure.http.openapi import BODY, MALFORMED, MAX_POSITION, documented, json_body, whole_number
from infrastructure.inbound.messages import IncomingMessage
from subscriptions.http.dead_letter_groups import group_routes
from subscriptions.http.dead_letter_history import history_route
from subscriptions.http.dead_letter_requests import GROUP, OPERATE, READ, TAGS, HttpRequest, sender
from subscriptions.http.dead_letters import DiscardRequest, RetryRequest
from subscriptions.http.responses import DeadLetter, DeadLetters, DeadLetterSummary, RetryOutcome
from subscriptions.parking.parked_events import readable

_UNKNOWN = {404: "There is no such source, or no such dead letter"}
_BUSY = {409: "It is being retried, or handled, by somebody else"}
_AWAY = {503: "A store or the command API can't be reached"}


def dead_letter_routes(desk: InboundDesk) -> list[Any]:
    """The routes over the stores; any process serves them for all."""
    operations = desk.letters

    @get(
        "/dead-letters",
        summary="Messages set aside because they could not be handled",
        tags=TAGS,
        **documented(
            MALFORMED | _AWAY,
            parameters=[whole_number("after", "query", "only those after this position", -1, MAX_POSITION)],
            access=READ,
        ),
    )
    async def dead_letters(
        consumer: Annotated[str | None, Parameter(description="only this source's, as inbound_warehouse")] = None,
        key: Annotated[str | None, Parameter(description="only this key's")] = None,
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
        summary="One dead letter with the message",
        tags=TAGS,
        **documented(
            MALFORMED | _UNKNOWN | _AWAY,
            parameters=[whole_number("position", "path", "the dead letter's position", 0, MAX_POSITION)],
            access=READ,
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
        tags=TAGS,
        status_code=200,
        **documented(BODY | _UNKNOWN | _BUSY | _AWAY, body=json_body(RetryRequest), access=OPERATE),
    )
    async def retry(request: HttpRequest, data: RetryRequest) -> RetryOutcome:
        with as_problems():
            outcome = await operations.retry(data.consumer, data.key, by=sender(request), reason=data.reason)
        return RetryOutcome(data.consumer, outcome.replayed, 0, outcome.remaining, outcome.errors)

    @post(
        "/dead-letters/discard",
        summary="Leave a message out for good, and handle what stood behind it",
        tags=TAGS,
        status_code=200,
        **documented(BODY | _UNKNOWN | _BUSY | _AWAY, body=json_body(DiscardRequest), access=OPERATE),
    )
    async def discard(request: HttpRequest, data: DiscardRequest) -> RetryOutcome:
        with as_problems():
            outcome = await operations.discard(data.consumer, data.position, data.reason, sender(request))
        return RetryOutcome(data.consumer, outcome.replayed, 1, outcome.remaining, outcome.errors)

    return [dead_letters, dead_letter, retry, discard, *group_routes(desk.groups, as_problems), history_route(desk)]


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
        # Of one behind another that an older release has recorded, the group is that one's: the groups tell it.
        group=one.cause.fingerprint if one.first else one.fingerprint,
        place=one.place,
        retries=one.retries,
        retried_at=one.retried_at,
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
