"""The OpenAPI operations of the command routes, taken from the commands' own Structs."""

from typing import Annotated, Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIHeader, Parameter
from msgspec import Meta

from command_api.headers import IF_MATCH_PATTERN, WORD_PATTERN
from domain.model.aggregate import Aggregate, CommandType
from domain.model.identifiers import IDENTIFIER_PATTERN
from infrastructure.http.openapi import RETRY_AFTER, RawSchema, documented, header, json_body

_REFUSALS = {
    400: "Malformed, or it can never be right; `errors` points at each fault",
    404: "No such aggregate",
    409: "The state does not allow it, others kept changing it, or its history has been cut off; nothing was done",
    410: "It has been deleted; a command that creates it may create it again, unless it was deleted for good",
    412: "It is not at the version that If-Match names",
    413: "The body is too large",
    415: "The body is not sent as JSON",
    422: "The sender has used the Idempotency-Key for another command",
    500: "Its stream holds an event that can't be read",
    503: "The event store can't be reached, or a newer release has written to it (`newer-history`); repeat with the "
    "same Idempotency-Key after Retry-After seconds",
}


def operation_for(aggregate: Aggregate, command_type: CommandType, *, named: bool) -> dict[str, Any]:
    """What the decorator of the command's route is to be given; `named` says that the id stands in the path."""
    parameters = [*([_id(aggregate)] if named else []), *_headers()]
    status = 201 if command_type.creates else 200
    done = ResponseSpec(_result(aggregate), description="Done; the events are on disk", generate_examples=False)
    headers = {
        status: _LOCATION | _DONE if command_type.creates else _DONE,
        409: {"Retry-After": RETRY_AFTER},
        412: {"ETag": _etag("The present version")},
    }
    return documented(
        _REFUSALS,
        responses={status: done},
        headers=headers,
        parameters=parameters,
        body=json_body(command_type.struct),
        access=aggregate.access_to(command_type),
    )


def _etag(description: str, *, required: bool = False) -> OpenAPIHeader:
    return header(description, required=required, type="string", pattern='^"[0-9]+"$')


_DONE = {
    "ETag": _etag("The stream's revision, for If-Match", required=True),
    "Eventfold-Position": header(
        "The commit position, for `at_least` in queries", required=True, type="integer", minimum=0
    ),
    "X-Correlation-ID": header("What the command's events carry", required=True, type="string", pattern=WORD_PATTERN),
}
_LOCATION = {"Location": header("Its path, here and at the query API", required=True, type="string")}


def _id(aggregate: Aggregate) -> Parameter:
    schema = RawSchema({"type": "string", "pattern": IDENTIFIER_PATTERN})
    return Parameter(name=aggregate.id_field, param_in="path", required=True, schema=schema)


def _result(aggregate: Aggregate) -> type[msgspec.Struct]:
    version = Annotated[int, Meta(ge=0, description="The stream's revision, also in ETag")]
    position = Annotated[int, Meta(ge=0, description="For `at_least` in queries, also in Eventfold-Position")]
    name = "".join(word.capitalize() for word in aggregate.category.split("_")) + "Result"
    fields = [(aggregate.id_field, str), ("version", version), ("position", position)]
    return msgspec.defstruct(name, fields, module=__name__)


def _headers() -> list[Parameter]:
    word = {"type": "string", "pattern": WORD_PATTERN}
    match = {"type": "string", "pattern": IF_MATCH_PATTERN, "examples": ['"0"', "*"]}
    # No pattern for the trace headers: what does not have W3C's form is dropped, not refused.
    described: dict[str, tuple[dict[str, Any], str]] = {
        "Idempotency-Key": (word, "Makes a repetition safe: the first response is given again"),
        "If-Match": (match, "The ETag of the version that the command is for; another version is refused with 412"),
        "X-Correlation-ID": (word, "Follows the command into its events; its own id by default"),
        "Eventfold-Actor": (word, "For whom it is done, from a caller with the scope act-for-others"),
        "traceparent": ({"type": "string"}, "W3C trace context, followed into the events; dropped where malformed"),
        "tracestate": ({"type": "string"}, "W3C trace state; kept as far as 512 characters, dropped where malformed"),
    }
    return [
        Parameter(name=name, param_in="header", required=False, description=text, schema=RawSchema(schema))
        for name, (schema, text) in described.items()
    ]
