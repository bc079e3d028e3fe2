"""An aggregate's own state at an earlier moment, for aggregates that no view shows as of one."""

from collections.abc import Mapping
from typing import Any

from litestar.types import Scope

from domain.model.aggregate import Aggregate
from query_api.http.kinds import described, parser
from query_api.http.problems import malformed, not_found
from query_api.http.responses import Response, versioned
from query_api.http.route import Route
from query_api.read_side import ReadSide
from query_api.streams.as_of import as_of_parameter, events_as_of
from query_api.streams.naming import aggregate_path, id_parameter, operation_of, with_article
from query_api.streams.stream import decoded


async def state_as_of(
    read_side: ReadSide, aggregate: Aggregate, scope: Scope, aggregate_id: str, moment: str
) -> Response:
    """The state folded by `evolve`, with its version as the ETag."""
    events = await events_as_of(read_side, aggregate, aggregate_id, moment)
    state: Any = None
    for recorded in decoded(read_side.codec, events):
        state = aggregate.evolve(state, recorded.event)
    if state is None:
        raise not_found(f"{aggregate.category} {aggregate_id} at {moment}")
    return versioned(scope, state, events[-1].revision, events[-1].position)


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
        in_path=(described(id_parameter(aggregate)),),
    )
