"""Routes over stores in memory, asked without HTTP: for tests that need many applications, or many requests."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from infrastructure.application import Application
from infrastructure.http.problems import Problem
from infrastructure.security.identity import ANYBODY, Identity
from infrastructure.settings import Settings
from query_api.http.parameters import read_query
from query_api.http.responses import refusal
from query_api.http.route import Route
from query_api.read_side import ReadSide
from query_api.routes import all_routes
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.memory_event_store import MemoryEventStore
from tests.support.shelf import Shelf


def routes_in_memory(application: Application, store: MemoryReadStore | None = None) -> list[Route]:
    """The application's routes. Raises ValueError when a declaration can't work."""
    read_store: Any = store or MemoryReadStore()
    events: Any = MemoryEventStore()
    read_side = ReadSide(application, read_store, events, Settings.of(at_least_timeout=0.05, readstore_timeout=10.0))
    return all_routes(application, read_side)


async def memory_shelf(application: Application) -> Shelf:
    """The application's views, empty at first."""
    shelf = Shelf(MemoryReadStore(), application.views)
    await shelf.prepare()
    return shelf


async def ask(route: Route, query: str = "", identity: Identity = ANYBODY, **in_path: str) -> tuple[int, Any]:
    """The status and the body of an answer; `query` is the query string. What is no Problem is raised."""
    path_params = {name: unquote(value) for name, value in in_path.items()}
    scope: Any = {"path_params": path_params, "headers": [], "state": {"identity": identity}}
    allowed = [parameter.name for parameter in route.parameters]
    try:
        response = await route.respond(scope, read_query(query.encode("ascii"), allowed))
    except Problem as problem:
        response = refusal(problem)
    return response.status, msgspec.json.decode(response.body)


def by_operation(routes: list[Route]) -> Mapping[str, Route]:
    """The routes by the names of their operations."""
    return {route.operation: route for route in routes}
