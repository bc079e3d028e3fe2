"""GET /events: what is published, as server-sent events."""

import fnmatch
import re
from collections.abc import Collection
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import Parameter
from litestar.response import Stream

from domain.model.access import Access
from event_relay.stream import EventStream
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.openapi import documented
from infrastructure.http.problems import Problem, unavailable
from infrastructure.integration.publisher import Publisher
from subscriptions.ports import EventLog

_READ = Access("integration-events:read", shared=True)
_LONGEST = 18
_PLACE = "^(start|end|[0-9]{1,18})$"
_Begin = Annotated[
    str, Parameter(query="from", description="`start`, `end`, or the position after which", pattern=_PLACE)
]
_REFUSALS = {
    400: "The place is neither `start`, `end` nor a position, or nothing that is published is of these types",
    409: "The log does not reach so far: it is not the one that the position is of",
    503: "Too many read already, or the event store can't be reached",
}


def event_routes(stream: EventStream, publisher: Publisher, log: EventLog) -> list[Any]:
    """The route."""
    known = _pattern(publisher.types)
    type_list = Parameter(
        description="types with `*` for any part, with commas between",
        max_length=1_000,
        schema_extra={"pattern": f"^{known}(,{known})*$"},
    )

    @get(
        "/events",
        summary="What is published, as server-sent events; `Last-Event-ID` goes on after a position",
        tags=["events"],
        media_type="text/event-stream",
        **documented(_REFUSALS, access=_READ),
    )
    async def events(
        request: Request[Any, Any, Any],
        types: Annotated[str, type_list] = "*",
        begin: _Begin = "end",
    ) -> Stream:
        patterns = [one.strip() for one in types.split(",")]
        for pattern in patterns:
            if not fnmatch.filter(publisher.types, pattern):
                raise _malformed(f"nothing that is published is {pattern[:100]!r}")
        after = await _place(request.headers.get("Last-Event-ID") or begin, log)
        if stream.is_full:
            raise Problem(503, "busy", "Too many read already", headers={"Retry-After": "30"})
        wanted = frozenset(one for pattern in patterns for one in fnmatch.filter(publisher.types, pattern))
        return Stream(
            stream.read(after, wanted.__contains__),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return [events]


def _pattern(types: Collection[str]) -> str:
    """What readers ask for: all, all of a context, or one type. Other places of `*` are taken too."""
    contexts = sorted({one.partition(".")[0] for one in types})
    named = [*(f"{one}.*" for one in contexts), *sorted(types)]
    return "(" + "|".join(re.escape(one).replace("\\-", "-") for one in ["*", *named]) + ")"


async def _place(text: str, log: EventLog) -> int | None:
    """The position after which to begin; None for the first event."""
    if text == "start":
        return None
    try:
        end = await log.last_position()
    except EventStoreUnavailable as error:
        raise unavailable("event store", error) from error
    if text == "end":
        return end
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST):
        raise _malformed(f"{text[:50]!r} is neither start, end nor a position")
    if end is None or int(text) > end:
        detail = f"the log ends at position {end}, before {text}"
        raise Problem(409, "no-such-position", "There is no such position", detail)
    return int(text)


def _malformed(detail: str) -> Problem:
    return Problem(400, "malformed-request", "The request is malformed", detail)
