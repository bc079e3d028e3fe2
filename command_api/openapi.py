"""The OpenAPI operations of the command routes, taken from the commands' own Structs."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)

from domain.model.aggregate import Aggregate, CommandType
from infrastructure.http.problems import MEDIA_TYPE

_REFUSALS = {
    400: "Malformed, or it can never be right; `errors` points at each fault",
    404: "No such aggregate",
    409: "The state does not allow it, others kept changing it, or its history has been cut off; nothing was done",
    410: "It has been deleted; a command that creates it may create it again, unless it was deleted for good",
    412: "It is not at the version that If-Match names",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The Idempotency-Key belongs to another command",
    503: "The event store can't be reached; repeat with the same Idempotency-Key after Retry-After seconds",
}


def operation_for(aggregate: Aggregate, command_type: CommandType) -> type[Operation]:
    """An Operation class that Litestar fills for the command's route."""

    @dataclass
    class CommandOperation(Operation):
        def __post_init__(self) -> None:
            self.request_body = RequestBody(
                content={"application/json": OpenAPIMediaType(schema=_schema(command_type.struct))},
                required=command_type.creates,
                description=command_type.struct.__doc__,
            )
            self.parameters = [*(self.parameters or []), *_headers()]
            self.responses = _responses(aggregate, command_type)

    return CommandOperation


def _schema(struct: type) -> Any:
    """The Struct's JSON schema with its parts inlined, so that it needs no component registry."""
    (schema,), components = msgspec.json.schema_components([struct], ref_template="{name}")
    return _RawSchema(_inlined(schema, components))


class _RawSchema(Schema):
    """A JSON schema that is written as it is."""

    def __init__(self, raw: dict[str, Any]) -> None:
        super().__init__()
        self._raw = raw

    def to_schema(self) -> dict[str, Any]:
        return self._raw


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(components[schema["$ref"]], components)
    return {name: _inlined(part, components) for name, part in schema.items()}


def _headers() -> list[Parameter]:
    text = Schema(type="string")  # type: ignore[arg-type]
    described = {
        "Idempotency-Key": "Makes a repetition safe: the first response is given again",
        "If-Match": "The ETag of the version that the command is for; another version is refused with 412",
        "X-Correlation-ID": "Follows the command into its events; its own id by default",
        "Eventfold-Actor": "Who acts, as the gateway authenticated them",
    }
    return [
        Parameter(name=name, param_in="header", required=False, description=description, schema=text)
        for name, description in described.items()
    ]


def _responses(aggregate: Aggregate, command_type: CommandType) -> dict[str, OpenAPIResponse | Reference]:
    properties = {
        aggregate.id_field: {"type": "string"},
        "version": {"type": "integer", "description": "The stream's revision, also in ETag"},
        "position": {"type": "integer", "description": "For `at_least` in queries, also in Eventfold-Position"},
    }
    done = OpenAPIResponse(
        description="Done; the events are on disk",
        headers={name: OpenAPIHeader(description=name) for name in ("ETag", "Eventfold-Position")},
        content={
            "application/json": OpenAPIMediaType(
                schema=_RawSchema({"type": "object", "properties": properties, "required": list(properties)})
            )
        },
    )
    responses: dict[str, OpenAPIResponse | Reference] = {"201" if command_type.creates else "200": done}
    for status, description in _REFUSALS.items():
        body = _RawSchema({"type": "object", "properties": {"type": {"type": "string"}, "detail": {"type": "string"}}})
        responses[str(status)] = OpenAPIResponse(
            description=description, content={MEDIA_TYPE: OpenAPIMediaType(schema=body)}
        )
    return responses
