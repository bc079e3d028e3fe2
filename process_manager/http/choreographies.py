"""The chains of choreographies over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import get

from domain.model.access import Access
from infrastructure.http.openapi import documented
from infrastructure.http.problems import Problem
from process_manager.choreographies.chains import ChainReader, NoSuchChain, NoSuchChoreography
from process_manager.http.chain_responses import ChainDetails, Choreographies, chain_details
from subscriptions.http.problems import as_problems

_TAGS = ["choreographies"]
_READ = Access("processes:read", shared=True)
_UNKNOWN = {404: "There is no such choreography, or nothing of it has begun for that id"}
_AWAY = {503: "A store can't be reached"}


def choreography_routes(reader: ChainReader) -> list[Any]:
    """The routes over the log; any process manager serves them."""

    @get("/choreographies", summary="Every choreography", tags=_TAGS, **documented({}, access=_READ))
    async def choreographies() -> Choreographies:
        return Choreographies(sorted(reader.choreographies))

    @get(
        "/choreographies/{choreography:str}/instances/{instance:str}",
        summary="One chain: every event, what it follows from, and what is awaited now",
        description="Read from the log, with nothing personal in it.",
        tags=_TAGS,
        **documented(_UNKNOWN | _AWAY, access=_READ),
    )
    async def chain(choreography: str, instance: str) -> ChainDetails:
        with _problems():
            found = await reader.read(choreography, instance)
        return chain_details(reader.choreography(choreography), instance, found)

    return [choreographies, chain]


@contextmanager
def _problems() -> Iterator[None]:
    """Raises Problem for what the reader raises."""
    with as_problems():
        try:
            yield
        except (NoSuchChoreography, NoSuchChain) as error:
            raise Problem(404, "not-found", "Not found", str(error)) from error
