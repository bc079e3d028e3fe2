"""What the OpenAPI document says of the page's operations."""

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Parameter, RequestBody

from domain.documents.commands import MAX_NAME_LENGTH
from infrastructure.http.openapi import RawSchema
from infrastructure.security.signing_links import LINK_PATTERN, MAX_TOKEN

FORM = "application/x-www-form-urlencoded"

PROBLEMS = {
    400: "There is no link, or not all of it",
    403: "The link is none of ours, or not taken any more",
    404: "There is no such contract",
    409: "The link speaks of another document",
    410: "The link is over: signed, declined, withdrawn, or not in time",
    429: "The client asks too often",
    503: "The shop can't be reached, or the contract is not ready yet",
}
_TOKEN = {"type": "string", "maxLength": MAX_TOKEN, "pattern": f"^{LINK_PATTERN}$"}
TOKEN = Parameter(
    name="token",
    param_in="query",
    required=True,
    description="The link's token, as the mail has it",
    schema=RawSchema(_TOKEN),
)
FORM_BODY = RequestBody(
    required=True,
    description="The form of the page",
    content={
        FORM: OpenAPIMediaType(
            schema=RawSchema(
                {
                    "type": "object",
                    "required": ["token", "action"],
                    "properties": {
                        "token": _TOKEN,
                        "action": {"enum": ["sign", "decline"]},
                        "name": {"type": "string", "maxLength": MAX_NAME_LENGTH},
                        "consent": {"type": "string", "description": "The version of the words"},
                        "reason": {"type": "string"},
                    },
                }
            )
        )
    },
)


def page(description: str) -> ResponseSpec:
    """A response that is a page."""
    return ResponseSpec(str, description=description, media_type="text/html", generate_examples=False)
