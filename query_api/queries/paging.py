"""Keyset pages: rows by one unique, rising number, newest first."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from query_api.parameters import MAX_POSITION, Parameter, malformed, whole_number

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

LIMIT = Parameter(
    "limit", "How many rows at most", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
)
CURSOR = Parameter("cursor", "Where the page begins: the `next` of the page before, with the same other parameters")

_CHECK_BYTES = 4
_POSITION_BYTES = 8


class Page(Struct, frozen=True):
    """Which rows to read: those below a position (None: from the newest), and how many."""

    limit: int
    below: int | None


def read_page(query: Mapping[str, str], listed: str) -> Page:
    """The page that the query asks for. `listed` says which list it is, so that a cursor fits only its own."""
    limit = whole_number(query.get("limit", str(DEFAULT_LIMIT)), "limit", 1, MAX_LIMIT)
    cursor = query.get("cursor")
    return Page(limit, None if cursor is None else _read_cursor(cursor, listed))


def page_content(rows: list[dict[str, Any]], limit: int, listed: str, by: str) -> dict[str, Any]:
    """The body of a page: `rows` holds one row more than shown where there is a next page."""
    content: dict[str, Any] = {"items": rows[:limit]}
    if len(rows) > limit:
        content["next"] = _cursor(rows[limit - 1][by], listed)
    return content


def _cursor(position: int, listed: str) -> str:
    packed = position.to_bytes(_POSITION_BYTES, "big")
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
