"""The rules of an application's routes: each handler carries its own, in its `opt`."""

from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from msgspec import Struct

from domain.model.access import Access

ACCESS = "access"
"""The key of the rule in a route handler's `opt`."""


class MissingRule(Exception):
    """A route that nobody has said who may use."""


class RouteRule(Struct, frozen=True):
    """The rule of one route."""

    method: str
    path: str
    access: Access


def rules_of(app: Litestar) -> Iterator[RouteRule]:
    """Every route of the application with its rule. Raises MissingRule, naming the first one that has none."""
    for route in app.routes:
        handlers: list[Any] = getattr(route, "route_handlers", None) or [route.route_handler]  # type: ignore[union-attr]
        for handler in handlers:
            access = handler.opt.get(ACCESS)
            methods = sorted(getattr(handler, "http_methods", None) or [str(route.scope_type)])
            if not isinstance(access, Access):
                raise MissingRule(f"{', '.join(methods)} {route.path} has no rule that says who may use it")
            for method in methods:
                yield RouteRule(str(method), route.path_format, access)
