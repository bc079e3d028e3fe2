"""Every route of the query API: those that the views declare, and the history and earlier states of every aggregate."""

import re
from collections.abc import Callable, Iterable

from domain.model.aggregate import Aggregate
from infrastructure.application import Application
from query_api.http.public_schema import PublicSchema
from query_api.http.route import Route
from query_api.queries.by_key import key_route
from query_api.queries.custom import custom_route
from query_api.queries.lists import list_route
from query_api.queries.ranges import range_route
from query_api.read_side import ReadSide
from query_api.streams.history import history_route
from query_api.streams.naming import aggregate_path
from query_api.streams.state import state_route
from read_models.model.query import CustomQuery, KeyQuery, ListQuery, Query, RangeQuery
from read_models.model.query_checks import check_queries
from read_models.model.view import View


def all_routes(application: Application, read_side: ReadSide) -> list[Route]:
    """Raises ValueError, naming view and query, when a declaration can't work or two routes are the same."""
    for view in application.views:
        check_queries(view)
        _check_aggregates(view, application)
    stateful = _answered_with_their_state(application)
    found = [
        (f"view {view.name}, query {query.operation}", _route(read_side, view, query, schema, stateful))
        for view in application.views
        for schema in [PublicSchema(view)]
        for query in view.queries
    ]
    by_key = {_shape(query.path) for query in _key_queries(application)}
    for aggregate in application.aggregates:
        found.append((f"the history of {aggregate.category}", history_route(read_side, aggregate)))
        path = _shape(aggregate_path(aggregate))
        if path in stateful and path not in by_key:
            found.append((f"the state of {aggregate.category}", state_route(read_side, aggregate)))
    _unique(found, "path", lambda route: _shape(route.path))
    _unique(found, "operation", lambda route: route.operation)
    return [route for _, route in found]


def _route(
    read_side: ReadSide, view: View, query: Query, schema: PublicSchema, stateful: dict[str, Aggregate]
) -> Route:
    match query:
        case KeyQuery():
            return key_route(read_side, view, query, schema, stateful.get(_shape(query.path)))
        case ListQuery():
            return list_route(read_side, view, query, schema)
        case RangeQuery():
            return range_route(read_side, view, query, schema)
        case CustomQuery():
            return custom_route(read_side, view, query)


def _answered_with_their_state(application: Application) -> dict[str, Aggregate]:
    """The aggregates that no query names for `as_of`, by the shape of their paths."""
    named = {query.aggregate.category for query in _key_queries(application) if query.aggregate is not None}
    return {_shape(aggregate_path(one)): one for one in application.aggregates if one.category not in named}


def _check_aggregates(view: View, application: Application) -> None:
    categories = {aggregate.category for aggregate in application.aggregates}
    for query in view.queries:
        if isinstance(query, KeyQuery) and query.aggregate is not None and query.aggregate.category not in categories:
            where = f"view {view.name}, query {query.operation}"
            raise ValueError(f"{where}: the application has no aggregate {query.aggregate.category}")


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
