"""What the OpenAPI documents of all services say in the same words: problems by status, headers, operations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Components,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SecurityScheme,
)

from domain.model.access import Access
from infrastructure.http.problems import MEDIA_TYPE, ProblemDetails
from infrastructure.http.rules import ACCESS

MAX_POSITION = 2**63 - 1
"""The greatest commit position that a request may name."""
MALFORMED = {400: "Malformed: the detail says where, and `errors` points at each fault"}
"""The problem of what has parameters or a body."""
BODY = MALFORMED | {413: "The body is too large"}
"""The problems of what has a body."""

_BEARER = "bearer"
# A service that asks for no tokens serves without.
_OR_NONE: dict[str, list[str]] = {}
SECURITY = Components(
    security_schemes={
        _BEARER: SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="Asked for where the service asks for tokens; each operation names the scope that it takes",
        )
    }
)

Headers = Mapping[str, OpenAPIHeader]


class RawSchema(Schema):
    """A JSON schema that is written as it is."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        super().__init__()
        self._raw = dict(raw)

    def to_schema(self) -> dict[str, Any]:
        return self._raw


def header(description: str, *, required: bool = False, **schema: Any) -> OpenAPIHeader:
    """A response's header; `schema` is JSON Schema."""
    return OpenAPIHeader(description=description, required=required, schema=RawSchema(schema))


def json_body(struct: type[msgspec.Struct], *, required: bool = False) -> RequestBody:
    """A body that is decoded as this Struct: with all of its rules, some of which Litestar's own schema leaves out.

    It is required where one of the Struct's fields is; `required` says that it always is.
    """
    required = required or any(field.required for field in msgspec.structs.fields(struct))
    (schema,), components = msgspec.json.schema_components([struct], ref_template="{name}")
    content = {"application/json": OpenAPIMediaType(schema=RawSchema(_inlined(schema, components)))}
    return RequestBody(content=content, required=required, description=struct.__doc__)


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with its parts in it, so that it needs no component registry."""
    if isinstance(schema, list):
        return [_inlined(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(components[schema["$ref"]], components)
    return {name: _inlined(part, components) for name, part in schema.items()}


def whole_number(name: str, place: Any, description: str, lowest: int, highest: int) -> Parameter:
    """A parameter with exact bounds: Litestar writes those that it sees as doubles, which are off beyond 2^53."""
    schema = RawSchema({"type": "integer", "minimum": lowest, "maximum": highest})
    return Parameter(name=name, param_in=place, description=description, required=place == "path", schema=schema)


RETRY_AFTER = header("After how many seconds to try again", type="integer", minimum=0)


def documented(
    problems: Mapping[int, str],
    *,
    responses: Mapping[int, ResponseSpec] | None = None,
    headers: Mapping[int, Headers] | None = None,
    parameters: Sequence[Parameter] = (),
    body: RequestBody | None = None,
    access: Access | None = None,
) -> dict[str, Any]:
    """What a route handler's decorator is to be given, so that its operation says all that it responds, and who may.

    `problems` are the statuses of problem details and what each means here; `responses` any others, `headers` those of
    a response, by status. `parameters` stand beside those that Litestar sees in the handler's signature, or in the
    place of one of the same name. `access` is the rule; a handler without one is not served.
    """
    problems = {**_refusals(access), **problems}
    given = {503: {"Retry-After": RETRY_AFTER}} if 503 in problems else {}
    return {
        "responses": {
            **(responses or {}),
            **{
                status: ResponseSpec(ProblemDetails, description=text, generate_examples=False, media_type=MEDIA_TYPE)
                for status, text in problems.items()
            },
        },
        "operation_class": _operation({*problems, *(responses or {})}, {**given, **(headers or {})}, parameters, body),
        "opt": {ACCESS: access},
        "security": [{_BEARER: [access.scope]}, _OR_NONE] if access is not None and access.scope else None,
    }


def _refusals(access: Access | None) -> Mapping[int, str]:
    if access is None or access.is_public:
        return {}
    return {
        401: "It takes a token, and there is none, or not a good one",
        403: f"The token does not have the scope {access.scope}, or another one that the detail names",
    }


def _operation(
    statuses: Collection[int], headers: Mapping[int, Headers], parameters: Sequence[Parameter], body: RequestBody | None
) -> type[Operation]:
    replaced = {one.name for one in parameters}

    @dataclass
    class DocumentedOperation(Operation):
        """An Operation that Litestar makes for the route."""

        def __post_init__(self) -> None:
            found = [one for one in self.parameters or [] if not (isinstance(one, Parameter) and one.name in replaced)]
            self.parameters = [*parameters, *found] or None
            self.request_body = body or self.request_body
            # Litestar adds a 400 in its own form to whatever has a parameter, also where nothing can be wrong with it.
            self.responses = {
                status: response
                for status, response in (self.responses or {}).items()
                if int(status) < 400 or int(status) in statuses
            }
            for status, named in headers.items():
                response = self.responses.get(str(status))
                if isinstance(response, OpenAPIResponse):
                    response.headers = {**(response.headers or {}), **named}

    return DocumentedOperation
