"""What the OpenAPI document says of a route, beyond what Litestar sees in the handler's signature."""

from dataclasses import dataclass

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Schema
from litestar.openapi.spec import Parameter as Described

from infrastructure.http.problems import ProblemDetails
from query_api.http.parameters import AT_LEAST, RouteParameter
from query_api.http.route import Route

_UNCHANGED = "The client has it already: its `If-None-Match` names the ETag"
_REFUSALS = {
    400: "Malformed: an unknown or wrong parameter, which the detail names",
    404: "Not found",
    503: "A store can't be reached, the view has not reached `at_least` in time, or it was made from another log",
}
_UNKNOWN_POSITION = "The log ends before `at_least`: no event of it stands there"


STREAM_REFUSALS = {
    410: "It has been deleted, or what is asked for has been cut off: `first_version` is the first version still there"
}
"""What routes that read an aggregate's stream refuse besides."""


def operation(route: Route) -> type[Operation]:
    """An Operation that lists the route's parameters; Litestar knows only the names of those in the path."""
    in_path = {parameter.name: parameter for parameter in route.in_path}

    @dataclass
    class RouteOperation(Operation):
        def __post_init__(self) -> None:
            found = [*(self.parameters or []), *_described(route)]
            for parameter in found:
                if isinstance(parameter, Described) and parameter.name in in_path:
                    _describe(parameter, in_path[parameter.name])
            self.parameters = found

    return RouteOperation


def _describe(parameter: Described, declared: RouteParameter) -> None:
    parameter.description = declared.description or None
    parameter.schema = Schema(**declared.schema)


def _described(route: Route) -> list[Described]:
    return [
        Described(
            name=parameter.name,
            param_in="query",
            description=parameter.description,
            required=parameter.required,
            schema=Schema(**parameter.schema),
        )
        for parameter in route.parameters
    ]


def responses(route: Route) -> dict[int, ResponseSpec]:
    """What the route answers, by status."""
    refusals = {**_REFUSALS, **route.refusals}
    if AT_LEAST in route.parameters:
        refusals[409] = _UNKNOWN_POSITION
    return {
        200: ResponseSpec(route.answer, description=route.summary, generate_examples=False),
        304: ResponseSpec(None, description=_UNCHANGED, generate_examples=False),
        **{
            status: ResponseSpec(
                ProblemDetails, description=text, generate_examples=False, media_type="application/problem+json"
            )
            for status, text in sorted(refusals.items())
        },
    }
