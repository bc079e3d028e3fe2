"""Lists: pages of the documents that the filters leave."""

from collections.abc import Mapping
from typing import Any

from litestar.types import Scope

from infrastructure.read_store import Comparison, Page
from query_api.following.checkpoints import Reached
from query_api.http.declared import compile_parameters, in_path, in_query_string, owner_parameter
from query_api.http.ownership import filtered
from query_api.http.parameters import AT_LEAST, at_least
from query_api.http.public_schema import PublicSchema
from query_api.http.responses import Response, weak
from query_api.http.route import Route
from query_api.queries.paging import CURSOR, PageRequest, limit_parameter, next_cursor, read_page
from query_api.read_side import ReadSide
from read_models.model.query import ListQuery
from read_models.model.view import View


def list_route(read_side: ReadSide, view: View, query: ListQuery, schema: PublicSchema) -> Route:
    """A page of the list, bound to its filters."""
    read_filters = compile_parameters(query.path, query.filters, lambda one: one.filtered_field)
    show, access, owner = schema.show, query.access, owner_parameter(query.access, query.filters)

    async def respond(scope: Scope, sent: Mapping[str, str]) -> Response:
        where = filtered(scope, access, read_filters(scope, sent), owner)
        listed = f"{view.name} {query.sort} {query.direction} {sorted(where.items())!r}"
        page = read_page(sent, query, listed)
        reached = await read_side.live_with_position(view, at_least(sent))
        if reached is None:
            return weak(scope, {"items": []})
        rows = await _rows(reached, query, where, page)
        content: dict[str, Any] = {"items": [show(row) for row in rows[: page.limit]]}
        if len(rows) > page.limit:
            content["next"] = next_cursor(rows[page.limit - 1][query.sort], listed)
        return weak(scope, content, reached.position)

    return Route(
        path=query.path,
        operation=query.operation,
        summary=query.summary,
        respond=respond,
        answer=schema.page,
        description=query.description,
        parameters=(*in_query_string(query.path, query.filters), limit_parameter(query), CURSOR, AT_LEAST),
        in_path=in_path(query.path, query.filters),
        access=access,
    )


async def _rows(
    reached: Reached, query: ListQuery, where: Mapping[str, Any], page: PageRequest
) -> list[dict[str, Any]]:
    """One row more than the page shows, where there is a next page."""
    # While a batch is being written, a newer row may be there before an older one. Rows up to the checkpoint are all
    # there, so pages that stay below it neither miss a row nor show one twice: those that go down begin at it, those
    # that go up end at it. Rows have the same number in every build, so the next page may come from another one.
    if query.direction == "ascending":
        bound = Comparison(above=page.after, at_most=reached.position)
    elif page.after is None:
        bound = Comparison(at_most=reached.position)
    else:
        bound = Comparison(below=page.after)
    return await reached.live.rows(Page({**where, query.sort: bound}, query.sort, page.limit + 1, query.direction))
