"""What a request's query string may hold; everything else is refused with 400, naming it."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from query_api.http.problems import malformed

MAX_POSITION = 2**63 - 1
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_MAX_PARAMETERS = 20


class RouteParameter(Struct, frozen=True):
    """A parameter as the OpenAPI document describes it; `schema` is JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = MappingProxyType({"type": "string"})
    required: bool = False


def read_query(query_string: bytes, allowed: Collection[str]) -> dict[str, str]:
    """The query parameters; each at most once, and none but those allowed."""
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as error:
        raise malformed(f"the query string can't be read: {error}") from error
    query = dict(pairs)
    if unknown := sorted(query.keys() - set(allowed)):
        names = ", ".join(repr(name[:50]) for name in unknown)
        known = ", ".join(allowed) if allowed else "none"
        raise malformed(f"unknown query parameter {names}; allowed here: {known}")
    if len(query) < len(pairs):
        raise malformed("a query parameter is given more than once")
    return query


def whole_number(value: str, name: str, lowest: int, highest: int) -> int:
    """A decimal number between the bounds, both included."""
    if not _NUMBER.fullmatch(value) or not lowest <= int(value) <= highest:
        raise malformed(f"{name} must be a whole number from {lowest} to {highest}, not {value[:50]!r}")
    return int(value)


AT_LEAST = RouteParameter(
    "at_least",
    "Wait, for a bounded time, until the view has folded the event at this commit position "
    "(the `Eventfold-Position` of a command's answer); 503 when it does not get there in time, 409 when the log ends "
    "before it",
    {"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
)


def at_least(query: Mapping[str, str]) -> int | None:
    """The position that the view must have reached, if the request names one."""
    value = query.get("at_least")
    return None if value is None else whole_number(value, "at_least", 0, MAX_POSITION)
