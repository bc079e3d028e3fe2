"""Keyset pages: rows by one unique, rising number, each page beginning where the one before has ended."""

import base64
import binascii
import zlib
from collections.abc import Mapping

from msgspec import Struct

from query_api.http.parameters import MAX_POSITION, RouteParameter, whole_number
from query_api.http.problems import malformed
from read_models.model.query import ListQuery

CURSOR = RouteParameter(
    "cursor",
    "Where the page begins: the `next` of the page before, with the same other parameters",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{16}$"},
)

_CHECK_BYTES = 4
_POSITION_BYTES = 8


class PageRequest(Struct, frozen=True):
    """Which rows to read: those after a number, in the list's direction (None: from its beginning), and how many."""

    limit: int
    after: int | None


def limit_parameter(query: ListQuery) -> RouteParameter:
    """`limit`, as OpenAPI describes it."""
    bounds = {"type": "integer", "minimum": 1, "maximum": query.greatest_limit, "default": query.limit}
    return RouteParameter("limit", "How many rows at most", bounds)


def read_page(sent: Mapping[str, str], query: ListQuery, listed: str) -> PageRequest:
    """The page that is asked for. `listed` says which list it is, so that a cursor fits only its own."""
    limit, cursor = sent.get("limit"), sent.get("cursor")
    return PageRequest(
        query.limit if limit is None else whole_number(limit, "limit", 1, query.greatest_limit),
        None if cursor is None else _read_cursor(cursor, listed),
    )


def next_cursor(number: int, listed: str) -> str:
    """The cursor of the page that begins after the row with that number."""
    packed = number.to_bytes(_POSITION_BYTES, "big")
    return base64.urlsafe_b64encode(_check(packed, listed) + packed).decode().rstrip("=")


def _read_cursor(cursor: str, listed: str) -> int:
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed("cursor is not one that a page of this list has given") from error
    check, position = packed[:_CHECK_BYTES], packed[_CHECK_BYTES:]
    number = int.from_bytes(position, "big")
    if len(position) != _POSITION_BYTES or check != _check(position, listed) or number > MAX_POSITION:
        raise malformed("cursor is not one that a page of this list has given")
    return number


def _check(packed: bytes, listed: str) -> bytes:
    # Against mistakes, not against malice: a forged cursor shows nothing that another page would not show.
    return zlib.crc32(listed.encode() + b"|" + packed).to_bytes(_CHECK_BYTES, "big")
