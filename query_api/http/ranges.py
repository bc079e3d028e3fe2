"""Which bytes of a file a request asks for (RFC 9110, 14): one range at most, for a file that is the one it knows."""

import re
from typing import NamedTuple

from litestar.types import Scope

_RANGE = re.compile(rb"bytes\s*=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.IGNORECASE)


class ByteRange(NamedTuple):
    """From `first` to `last`, both included."""

    first: int
    last: int


class Unsatisfiable(Exception):
    """The range begins behind the end of the file."""


def wanted_range(scope: Scope, etag: bytes, size: int) -> ByteRange | None:
    """None: the whole file. So it is where the `Range` is none that is understood, where it names several, and where
    `If-Range` names another file. Raises Unsatisfiable."""
    named = [value for name, value in scope["headers"] if name == b"range"]
    unless = [value.strip() for name, value in scope["headers"] if name == b"if-range"]
    if len(named) != 1 or any(one != etag for one in unless):
        return None
    match = _RANGE.fullmatch(named[0].strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        if int(suffix) == 0 or size == 0:
            raise Unsatisfiable
        return ByteRange(max(0, size - int(suffix)), size - 1)
    start, end = int(first), int(last) if last else size - 1
    if end < start and last:
        return None
    if start >= size:
        raise Unsatisfiable
    return ByteRange(start, min(end, size - 1))
