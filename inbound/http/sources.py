"""The sources over HTTP, and what came of a message."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import get
from litestar.params import Parameter
from msgspec import Struct

from domain.model.access import Access
from inbound.dead_letters import DeadLetterStore
from inbound.http.problems import as_problems
from inbound.inbox import InboxEntry
from inbound.operating import DeadLetterOperations
from inbound.running import RunningSource
from infrastructure.http.openapi import MALFORMED, documented
from infrastructure.http.problems import Problem

_TAGS = ["sources"]
_READ = Access("consumers:read", shared=True)
_AWAY = {503: "A store can't be reached"}


class SourceStatus(Struct, frozen=True):
    """`lag` is how many messages wait at the broker, null where it does not tell this process; `parked` counts dead
    letters; `trouble` says why messages do not come, or wait."""

    name: str
    kind: str
    consumer: str
    types: list[str]
    dead_letters: str
    behind: str
    lag: int | None
    parked: int
    trouble: str | None


class Sources(Struct, frozen=True):
    """Every source, as this process sees it."""

    sources: list[SourceStatus]


class MessageStatus(Struct, frozen=True):
    """What came of a message: `state` is handling, setting_aside, dead_letter, handled or discarded. `position` is that
    of the last event of its commands; `at` is in epoch milliseconds. `error_class`, `code` and `reason` say why it was
    set aside, or discarded, and `by` who discarded it."""

    source: str
    message: str
    event_source: str
    event_id: str
    event_type: str
    key: str
    state: str
    position: int | None
    error_class: str
    code: str
    reason: str
    by: str
    at: int


def source_routes(
    running: Sequence[RunningSource], operations: DeadLetterOperations, dead_letters: DeadLetterStore
) -> list[Any]:
    """The routes over one process."""

    @get(
        ["/sources", "/status"],
        summary="Every source: whether messages come, how many wait, how many are dead letters",
        tags=_TAGS,
        **documented(_AWAY, access=_READ),
    )
    async def sources() -> Sources:
        with as_problems():
            return Sources([await _status(one, dead_letters) for one in running])

    @get(
        "/messages",
        summary="What came of a message",
        tags=_TAGS,
        **documented(MALFORMED | _AWAY | {404: "There is no such source, or nothing is known of it"}, access=_READ),
    )
    async def message(
        consumer: Annotated[str, Parameter(description="the source's consumer, such as inbound_warehouse")],
        source: Annotated[str, Parameter(description="the CloudEvent's source", min_length=1, max_length=1024)],
        event_id: Annotated[
            str, Parameter(query="id", description="the CloudEvent's id", min_length=1, max_length=1024)
        ],
    ) -> MessageStatus:
        with as_problems():
            entry = await operations.entry(consumer, source, event_id)
        if entry is None:
            raise Problem(404, "not-found", "Not found", f"nothing is known of {event_id[:100]!r} of {source[:100]!r}")
        return _message(entry)

    return [sources, message]


async def _status(one: RunningSource, dead_letters: DeadLetterStore) -> SourceStatus:
    source = one.source
    return SourceStatus(
        name=source.name,
        kind=source.kind,
        consumer=source.consumer,
        types=list(source.types),
        dead_letters=source.dead_letters,
        behind=source.behind,
        lag=one.wire.lag,
        parked=await dead_letters.count(source.consumer),
        trouble=one.trouble,
    )


def _message(entry: InboxEntry) -> MessageStatus:
    return MessageStatus(
        source=entry.source,
        message=entry.identity,
        event_source=entry.event_source,
        event_id=entry.event_id,
        event_type=entry.event_type,
        key=entry.key,
        state=entry.state,
        position=entry.commit_position if entry.commit_position >= 0 else None,
        error_class=entry.error_class,
        code=entry.error_code,
        reason=entry.reason,
        by=entry.by,
        at=entry.at,
    )
