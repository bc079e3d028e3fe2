"""Dead letters over HTTP: list, show, retry, discard."""

from typing import Annotated, Any

from litestar import get, post
from litestar.params import Parameter
from msgspec import Meta, Struct

from infrastructure.http.problems import Problem
from infrastructure.read_store import Page
from projector.dead_letters.operations import DeadLetterOperations
from projector.dead_letters.parked_events import COLLECTION, ParkedEvent
from projector.dead_letters.settling import parked_record
from projector.engine import Engine
from projector.http.answers import DeadLetter, DeadLetters, DeadLetterSummary, RetryOutcome
from projector.http.problems import no_such_view, told_as_problems

_TAGS = ["dead letters"]


class RetryRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`key` is a document's or a stream's; without it all of the view's dead letters are retried."""

    view: Annotated[str, Meta(min_length=1)]
    key: Annotated[str, Meta(min_length=1)] | None = None


class DiscardRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The event at `position` is to be left out of the view for good; `reason` is kept with it."""

    view: Annotated[str, Meta(min_length=1)]
    position: Annotated[int, Meta(ge=0)]
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]


def dead_letter_routes(engine: Engine, *, patience: float) -> list[Any]:
    """The routes over a running engine. `patience` is in seconds: how long the owners of partitions may take."""
    operations = DeadLetterOperations(
        engine.store, engine.registry, engine.view_names, engine.look_again, patience=patience
    )

    def known(view: str) -> None:
        # Not by the records: a process that has just started has yet to read them.
        if view not in engine.view_names:
            raise no_such_view(view, sorted(engine.view_names))

    @get("/dead-letters", summary="Events set aside because a view could not fold them", tags=_TAGS)
    async def dead_letters(
        view: Annotated[str | None, Parameter(description="only this view's")] = None,
        key: Annotated[str | None, Parameter(description="only this document's or stream's")] = None,
        limit: Annotated[int, Parameter(ge=1, le=500, description="how many at most")] = 50,
        after: Annotated[int, Parameter(ge=-1, description="only those after this position")] = -1,
    ) -> DeadLetters:
        with told_as_problems():
            page, more = await operations.page(view, key, after=after, limit=limit)
        return DeadLetters([_summary(one) for one in page], page[-1].position if more else None)

    @get("/dead-letters/{view:str}/{position:int}", summary="One dead letter with its data", tags=_TAGS)
    async def dead_letter(view: str, position: int) -> DeadLetter:
        with told_as_problems():
            page = Page({"view": view, "position": position}, by="position", limit=1)
            found = [document.fields for _, document in await engine.store.page(COLLECTION, page) if document.fields]
        if not found:
            raise Problem(404, "not-found", "Not found", f"no event at {position} is parked for {view}")
        one = parked_record(found[0])
        return DeadLetter(_summary(one), one.data, one.metadata)

    @post("/dead-letters/retry", summary="Replay dead letters in order", tags=_TAGS, status_code=200)
    async def retry(data: RetryRequest) -> RetryOutcome:
        known(data.view)
        with told_as_problems():
            outcome = await operations.retry(data.view, data.key)
        return RetryOutcome(data.view, outcome.replayed, 0, outcome.remaining, outcome.errors)

    @post("/dead-letters/discard", summary="Leave an event out of a view for good", tags=_TAGS, status_code=200)
    async def discard(data: DiscardRequest) -> RetryOutcome:
        known(data.view)
        with told_as_problems():
            outcome = await operations.discard(data.view, data.position, data.reason)
        return RetryOutcome(data.view, max(0, outcome.replayed - 1), 1, outcome.remaining, outcome.errors)

    return [dead_letters, dead_letter, retry, discard]


def _summary(one: ParkedEvent) -> DeadLetterSummary:
    return DeadLetterSummary(
        view=one.view,
        collection=one.collection,
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
    )
