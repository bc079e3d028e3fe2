"""The parameters that a query declares, read from a request: compiled once, when the routes are made."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litestar.types import Scope

from domain.model.access import Access
from query_api.http.kinds import described, hint, parser
from query_api.http.parameters import RouteParameter
from query_api.http.problems import malformed
from read_models.model.parameter import Parameter
from read_models.model.query_checks import path_parameters

ReadParameters = Callable[[Scope, Mapping[str, str]], dict[str, Any]]
"""read(scope, query parameters) -> the values that were sent; raises Problem (400), naming the parameter."""


def in_query_string(path: str, parameters: Iterable[Parameter]) -> tuple[RouteParameter, ...]:
    """Those that don't stand in the path, as OpenAPI describes them."""
    names = path_parameters(path)
    return tuple(described(parameter) for parameter in parameters if parameter.name not in names)


def in_path(path: str, parameters: Iterable[Parameter]) -> tuple[RouteParameter, ...]:
    """Those that stand in the path, as OpenAPI describes them."""
    names = path_parameters(path)
    return tuple(described(parameter) for parameter in parameters if parameter.name in names)


def compile_parameters(
    path: str, parameters: Iterable[Parameter], called: Callable[[Parameter], str]
) -> ReadParameters:
    """A function that reads them all, those in the path first; `called` says under which name a value is given."""
    names = path_parameters(path)
    declared = tuple(parameters)
    from_path = tuple((one.name, called(one), parser(one)) for one in declared if one.name in names)
    from_query = tuple((one, one.name, called(one), parser(one)) for one in declared if one.name not in names)

    def read(scope: Scope, query: Mapping[str, str]) -> dict[str, Any]:
        sent = scope["path_params"]
        values = {key: parse(sent[name]) for name, key, parse in from_path}
        for parameter, name, key, parse in from_query:
            text = query.get(name)
            if text is not None:
                values[key] = parse(text)
            elif parameter.required:
                raise missing(parameter)
        return values

    return read


def owner_parameter(access: Access | None, filters: Iterable[Parameter]) -> str:
    """What the filter by the owner is called, if there is one."""
    owner = "" if access is None else access.owner
    return next((one.name for one in filters if one.filtered_field == owner), owner)


def missing(parameter: Parameter) -> Exception:
    """400: a parameter that is required is not there."""
    return malformed(f"{parameter.name} is missing: {hint(parameter.kind)}")
