"""What a route is: a path, what it takes, what it answers, and the function that does it."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import Scope
from msgspec import Struct

from query_api.answers import Answer
from query_api.parameters import Parameter
from query_api.sources import Sources

Respond = Callable[[Sources, Scope, dict[str, str]], Awaitable[Answer]]
"""respond(sources, scope, query) -> answer; raises Problem, or the errors of the stores."""


class Route(Struct, frozen=True):
    """One GET route. `answer` is the type of its body, for OpenAPI."""

    path: str
    name: str
    summary: str
    respond: Respond
    answer: type[Struct]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()


def path_parameter(scope: Scope, name: str) -> Any:
    """What stands in the path, decoded."""
    return scope["path_params"][name]
