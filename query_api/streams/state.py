"""An aggregate's own state at an earlier moment, for aggregates that no view shows as of one."""

from collections.abc import Mapping
from typing import Any

from litestar.types import Scope

from domain.model.aggregate import Aggregate
from infrastructure.aggregate_streams import snapshot_before
from infrastructure.event_store import StoredEvent
from query_api.http.kinds import described, parser
from query_api.http.openapi import STREAM_REFUSALS
from query_api.http.ownership import concealing, is_visible
from query_api.http.problems import malformed, not_found
from query_api.http.responses import Response, versioned
from query_api.http.route import Route
from query_api.read_side import ReadSide
from query_api.streams.as_of import EventsAsOf, as_of_parameter, events_as_of, nothing_then
from query_api.streams.naming import aggregate_path, id_parameter, operation_of, with_article
from query_api.streams.stream import decoded


async def state_as_of(
    read_side: ReadSide, aggregate: Aggregate, scope: Scope, aggregate_id: str, moment: str
) -> Response:
    """The state folded by `evolve`, with its version as the ETag; from a snapshot on where the beginning is gone."""
    access, absent = aggregate.access_to_history, nothing_then(aggregate, aggregate_id, moment)
    with concealing(scope, access, absent):
        found = await events_as_of(read_side, aggregate, aggregate_id, moment)
        state, version, position = await folded(read_side, aggregate, aggregate_id, found)
        if state is None:
            raise not_found(f"{aggregate.category} {aggregate_id} at {moment}")
    if not is_visible(scope, access, aggregate.owner_of(state)):
        raise absent
    return versioned(scope, state, version, position)


async def folded(
    read_side: ReadSide, aggregate: Aggregate, aggregate_id: str, found: EventsAsOf
) -> tuple[Any, int, int]:
    """The state that the events lead to, with its version and position. Raises Problem (410, 500) when they don't."""
    state, version, position, events = await _base(read_side, aggregate, aggregate_id, found)
    for recorded in decoded(await read_side.codec.decoder(events), events):
        state = aggregate.evolve(state, recorded.event)
        version, position = recorded.revision, recorded.position
    return state, version, position


async def _base(
    read_side: ReadSide, aggregate: Aggregate, aggregate_id: str, found: EventsAsOf
) -> tuple[Any, int, int, list[StoredEvent]]:
    """State, version and position to begin with, and the events after it. Raises Problem (410)."""
    if not found.whole:
        left = found.events or [found.first]
        snapshot = await snapshot_before(read_side.events, aggregate, aggregate_id, left, found.version)
        if snapshot is not None:
            after = [event for event in found.events if event.revision > snapshot.revision]
            return snapshot.state, snapshot.revision, snapshot.position, after
    return None, -1, -1, found.require_whole()


def state_route(read_side: ReadSide, aggregate: Aggregate) -> Route:
    """GET of the aggregate's own path, which answers with `as_of` only."""
    name, parse = aggregate.id_field, parser(id_parameter(aggregate))

    async def respond(scope: Scope, query: Mapping[str, str]) -> Response:
        aggregate_id = parse(scope["path_params"][name])
        moment = query.get("as_of")
        if moment is None:
            raise malformed("as_of is missing: a version number or a time such as 2026-01-31T15:00:00Z")
        return await state_as_of(read_side, aggregate, scope, aggregate_id, moment)

    return Route(
        path=aggregate_path(aggregate),
        operation=operation_of("Get", aggregate, "AsOf"),
        summary=f"{with_article(aggregate)} as it was at an earlier moment, from its event stream",
        respond=respond,
        answer=aggregate.state,
        description="What the rules remember of it. The `ETag` is its version at that moment.",
        parameters=(as_of_parameter(aggregate, required=True),),
        refusals=STREAM_REFUSALS,
        in_path=(described(id_parameter(aggregate)),),
        access=aggregate.access_to_history,
        names_version=True,
    )
