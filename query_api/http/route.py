"""What a route is: a path, what it takes, what it answers, and the function that does it."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from litestar.types import Scope
from msgspec import Struct

from domain.model.access import Access
from query_api.http.parameters import RouteParameter
from query_api.http.responses import Response

Respond = Callable[[Scope, Mapping[str, str]], Awaitable[Response]]
"""respond(scope, query parameters) -> response; raises Problem, or the errors of the stores."""


class FileAnswer(Struct, frozen=True):
    """Stands for the body of a route that answers a file, whole or in ranges."""

    media_type: str


class Route(Struct, frozen=True):
    """One GET route. `path` has its parameters in braces; `answer` is, for OpenAPI, the type of its body or a
    FileAnswer.

    `parameters` are all that the query string may hold, `in_path` those of the path. `refusals` are the statuses, and
    what they mean, beyond those that every route has. `access` is the rule; without one no service serves it.
    `names_version` says that its ETag may be an aggregate's version, which nobody on the way may make a weak one.
    """

    path: str
    operation: str
    summary: str
    respond: Respond
    answer: Any
    description: str = ""
    parameters: tuple[RouteParameter, ...] = ()
    in_path: tuple[RouteParameter, ...] = ()
    refusals: Mapping[int, str] = MappingProxyType({})
    access: Access | None = None
    names_version: bool = False
