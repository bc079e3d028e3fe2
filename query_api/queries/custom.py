"""Queries that a function beside the view answers, with nothing to read but the view's own documents."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar.types import Scope

from infrastructure.read_store import Comparison, Page, Scalar
from query_api.following.live_build import LiveBuild
from query_api.http.declared import compile_parameters, in_path, in_query_string
from query_api.http.ownership import filtered
from query_api.http.parameters import AT_LEAST, at_least
from query_api.http.problems import malformed, not_found
from query_api.http.responses import Response, weak
from query_api.http.route import Route
from query_api.read_side import ReadSide
from read_models.model.query import CustomQuery, InvalidParameters
from read_models.model.query_checks import path_parameters
from read_models.model.reads import MOST_ROWS
from read_models.model.view import View


def custom_route(read_side: ReadSide, view: View, query: CustomQuery) -> Route:
    """What the query's function answers; its ETag is made of the content."""
    read_parameters = compile_parameters(query.path, query.parameters, lambda one: one.name)
    names, access = path_parameters(query.path), query.access
    owner = "" if access is None else access.owner

    async def respond(scope: Scope, sent: Mapping[str, str]) -> Response:
        parameters = filtered(scope, access, read_parameters(scope, sent), owner)
        reads = BuildReads(view, await read_side.live(view, at_least(sent)))
        try:
            content = await query.respond(reads, parameters)
        except InvalidParameters as error:
            raise malformed(str(error)) from error
        if content is None:
            raise not_found(" ".join([query.noun, *(scope["path_params"][name] for name in names)]))
        return weak(scope, content)

    return Route(
        path=query.path,
        operation=query.operation,
        summary=query.summary,
        respond=respond,
        answer=query.answer,
        description=query.description,
        parameters=(*in_query_string(query.path, query.parameters), AT_LEAST),
        in_path=in_path(query.path, query.parameters),
        access=access,
    )


class BuildReads:
    """read_models.model.reads.Reads, of one build of the view; of no build when nothing has been projected yet."""

    def __init__(self, view: View, live: LiveBuild | None) -> None:
        self._view = view
        self._live = live

    async def document(self, key: str) -> Any | None:
        stored = None if self._live is None else await self._live.document(key)
        return None if stored is None else msgspec.convert(stored.fields, self._view.document)

    async def rows(
        self,
        by: str,
        limit: int,
        *,
        where: Mapping[str, Scalar] = {},
        first: int | None = None,
        last: int | None = None,
        descending: bool = False,
    ) -> list[Any]:
        if not 1 <= limit <= MOST_ROWS:
            raise ValueError(f"a read gives 1 to {MOST_ROWS} rows, not {limit}")
        if by in where:
            raise ValueError(f"{by} is bounded by `first` and `last`, not by `where`")
        if self._live is None:
            return []
        wanted: dict[str, Scalar | Comparison] = dict(where)
        if first is not None or last is not None:
            wanted[by] = Comparison(at_least=first, at_most=last)
        rows = await self._live.rows(Page(wanted, by, limit, "descending" if descending else "ascending"))
        return msgspec.convert(rows, list[self._view.document])  # type: ignore[name-defined]
