"""What the OpenAPI document says of a route: Litestar sees none of it in the handler's signature."""

from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIHeader, Parameter

from infrastructure.http.openapi import RawSchema, documented, header
from query_api.http.parameters import AT_LEAST, RouteParameter
from query_api.http.route import FileAnswer, Route

_UNCHANGED = "The client has it already: its `If-None-Match` names the ETag"
_REFUSALS = {
    400: "Malformed: an unknown or wrong parameter, which the detail names",
    404: "Not found",
    500: "Its stream holds an event that can't be read",
    503: "A store can't be reached, the view has not reached `at_least` in time, it was made from another log, or a "
    "newer release has written what it rests on",
}
_UNKNOWN_POSITION = "The log ends before `at_least`: no event of it stands there"
STREAM_REFUSALS = {
    410: "It has been deleted, or what is asked for has been cut off: `first_version` is the first version still there"
}
"""What routes that read an aggregate's stream refuse besides."""

_POSITION = "The commit position that the answer has come to, where it is one of a whole view or of one document"
_ANY_ETAG, _WEAK_ETAG = '^(W/)?"[0-9a-f]+"$', '^W/"[0-9a-f]+"$'
_VALIDATORS = {
    "Cache-Control": header("To be asked after before it is used again", required=True, type="string"),
    "Eventfold-Position": header(_POSITION, type="integer", minimum=-1),
}
_IF_NONE_MATCH = Parameter(
    name="If-None-Match",
    param_in="header",
    required=False,
    description="The ETags that the client has; what names none of them is not looked at",
    schema=RawSchema({"type": "string"}),
)

_RANGES = {"Accept-Ranges": header("That ranges can be asked for", required=True, type="string", enum=["bytes"])}
_CONTENT_RANGE = {"Content-Range": header("Which range it is, and of how many bytes", required=True, type="string")}
_OF_RANGES = tuple(
    Parameter(name=name, param_in="header", required=False, description=text, schema=RawSchema({"type": "string"}))
    for name, text in (
        ("Range", "One range of bytes, such as bytes=0-1023; what is not understood is not looked at"),
        ("If-Range", "The ETag that the range is meant for; with another one, the whole file is answered"),
    )
)


def operation(route: Route) -> dict[str, Any]:
    """What the decorator of the route's handler is to be given."""
    refusals = {**_REFUSALS, **route.refusals}
    if AT_LEAST in route.parameters:
        refusals[409] = _UNKNOWN_POSITION
    answered = _answered(route)
    parameters = [
        *(_described(parameter, "path") for parameter in route.in_path),
        *(_described(parameter, "query") for parameter in route.parameters),
        _IF_NONE_MATCH,
        *(_OF_RANGES if 206 in answered else ()),
    ]
    validators = {"ETag": _etag(route), **_VALIDATORS}
    headers = dict.fromkeys(answered, validators)
    if 206 in answered:
        headers |= {200: {**validators, **_RANGES}, 206: {**validators, **_RANGES, **_CONTENT_RANGE}}
    return documented(refusals, responses=answered, headers=headers, parameters=parameters, access=route.access)


def _etag(route: Route) -> OpenAPIHeader:
    strong = route.names_version or isinstance(route.answer, FileAnswer)
    pattern = _ANY_ETAG if strong else _WEAK_ETAG
    return header("Names this answer, for If-None-Match", required=True, type="string", pattern=pattern)


def _answered(route: Route) -> dict[int, ResponseSpec]:
    unchanged = ResponseSpec(None, description=_UNCHANGED, generate_examples=False)
    if not isinstance(route.answer, FileAnswer):
        return {200: ResponseSpec(route.answer, description=route.summary, generate_examples=False), 304: unchanged}
    media_type = route.answer.media_type
    return {
        200: ResponseSpec(bytes, description=route.summary, generate_examples=False, media_type=media_type),
        206: ResponseSpec(bytes, description="The range of it", generate_examples=False, media_type=media_type),
        304: unchanged,
    }


def _described(parameter: RouteParameter, place: Any) -> Parameter:
    return Parameter(
        name=parameter.name,
        param_in=place,
        description=parameter.description or None,
        required=place == "path" or parameter.required,
        schema=RawSchema(parameter.schema),
    )
