"""Every route of the query API: those that the views declare, and the history and earlier states of every aggregate."""

import re
from collections.abc import Callable, Iterable

from domain.model.aggregate import Aggregate
from infrastructure.application import Application
from query_api.http.public_schema import PublicSchema
from query_api.http.route import Route
from query_api.queries.by_key import key_route
from query_api.queries.custom import custom_route
from query_api.queries.evidence import evidence_route
from query_api.queries.files import file_route
from query_api.queries.lists import list_route
from query_api.queries.ranges import range_route
from query_api.read_side import ReadSide
from query_api.streams.history import history_route
from query_api.streams.naming import aggregate_path
from query_api.streams.state import state_route
from read_models.model.query import CustomQuery, EvidenceQuery, FileQuery, KeyQuery, ListQuery, Query, RangeQuery
from read_models.model.query_checks import check_queries
from read_models.model.view import View


def all_routes(application: Application, read_side: ReadSide) -> list[Route]:
    """Raises ValueError, naming view and query, when a declaration can't work or two routes are the same."""
    for view in application.views:
        check_queries(view)
    aggregates = _Aggregates(application)
    found: list[tuple[str, Route]] = []
    for view in application.views:
        schema = PublicSchema(view)
        for query in view.queries:
            route = _route(read_side, view, query, schema, aggregates)
            found.append((f"view {view.name}, query {query.operation}", route))
    by_key = {_shape(query.path) for query in _key_queries(application)}
    for aggregate in application.aggregates:
        found.append((f"the history of {aggregate.category}", history_route(read_side, aggregate)))
        path = _shape(aggregate_path(aggregate))
        if path in aggregates.stateful and path not in by_key:
            found.append((f"the state of {aggregate.category}", state_route(read_side, aggregate)))
    _unique(found, "path", lambda route: _shape(route.path))
    _unique(found, "operation", lambda route: route.operation)
    return [route for _, route in found]


def _route(read_side: ReadSide, view: View, query: Query, schema: PublicSchema, aggregates: "_Aggregates") -> Route:
    match query:
        case KeyQuery():
            return key_route(read_side, view, query, schema, aggregates.of(view, query))
        case ListQuery():
            return list_route(read_side, view, query, schema)
        case RangeQuery():
            return range_route(read_side, view, query, schema)
        case CustomQuery():
            return custom_route(read_side, view, query)
        case FileQuery():
            return file_route(read_side, view, query)
        case EvidenceQuery():
            return evidence_route(read_side, view, query)


class _Aggregates:
    """Which aggregate each by-key query can be asked for `as_of`."""

    def __init__(self, application: Application) -> None:
        self._by_category = {aggregate.category: aggregate for aggregate in application.aggregates}
        named = {query.aggregate for query in _key_queries(application)}
        others = [aggregate for aggregate in application.aggregates if aggregate.category not in named]
        self.stateful = {_shape(aggregate_path(aggregate)): aggregate for aggregate in others}
        """Those that no query names, by the shape of their paths: `as_of` there answers their own state."""

    def of(self, view: View, query: KeyQuery) -> Aggregate | None:
        """The one that the query names, or else the one that has its path, if no other query names it."""
        if not query.aggregate:
            return self.stateful.get(_shape(query.path))
        if query.aggregate not in self._by_category:
            where = f"view {view.name}, query {query.operation}"
            raise ValueError(f"{where}: the application has no aggregate {query.aggregate}")
        return self._by_category[query.aggregate]


def _key_queries(application: Application) -> Iterable[KeyQuery]:
    return (query for view in application.views for query in view.queries if isinstance(query, KeyQuery))


def _shape(path: str) -> str:
    """The path without its parameters' names: two paths of one shape are one to a router."""
    return re.sub(r"\{\w+\}", "{}", path)


def _unique(found: Iterable[tuple[str, Route]], what: str, of: Callable[[Route], str]) -> None:
    seen: dict[str, str] = {}
    for where, route in found:
        name = of(route)
        if name in seen:
            raise ValueError(f"{where}: the {what} {name} is that of {seen[name]} already")
        seen[name] = where
