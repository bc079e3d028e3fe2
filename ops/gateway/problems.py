"""What the gateway itself refuses, as the services do: RFC 9457 problem details."""

from typing import Any

from infrastructure.http.problems import MEDIA_TYPE, problem_type
from ops.gateway.typed import Config

_KINDS = {
    400: ("malformed-request", "The request is malformed"),
    401: ("unauthorized", "A valid bearer token is needed"),
    403: ("forbidden", "This may not be done here"),
    404: ("no-such-path", "There is nothing at this path"),
    405: ("method-not-allowed", "The method is not allowed"),
    408: ("too-slow", "The request came too slowly"),
    413: ("too-large", "The request body is too large"),
    414: ("url-too-long", "The URL is too long"),
    429: ("too-many-requests", "The client asks too often"),
    431: ("head-too-large", "The headers are too large"),
    502: ("unavailable", "The service gave no answer that can be understood"),
    503: ("unavailable", "The service can't be reached"),
    504: ("timeout", "The service has not answered in time"),
}
_AGAIN_IN_A_SECOND = frozenset({429, 502, 503, 504})


def local_replies(rate_policy: str) -> Config:
    """`rate_policy` is what a client may ask, as in `RateLimit-Policy`; empty where there is no limit."""
    return {"mappers": [_mapper(status, rate_policy) for status in _KINDS]}


def _mapper(status: int, rate_policy: str) -> Config:
    kind, title = _KINDS[status]
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
    if status in _AGAIN_IN_A_SECOND:
        headers["retry-after"] = "1"
    if status == 429 and rate_policy:
        headers["ratelimit-policy"] = rate_policy
    return {
        "filter": {
            "status_code_filter": {
                "comparison": {"op": "EQ", "value": {"default_value": status, "runtime_key": "gateway.problem"}}
            }
        },
        "headers_to_add": [header(name, value) for name, value in headers.items()],
        "body_format_override": {"json_format": _details(kind, title), "content_type": MEDIA_TYPE},
    }


def _details(kind: str, title: str) -> dict[str, Any]:
    return {
        "type": problem_type(kind),
        "title": title,
        "status": "%RESPONSE_CODE%",
        "detail": "%LOCAL_REPLY_BODY%",
    }


def header(name: str, value: str) -> Config:
    """One that takes the place of any of the same name."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
