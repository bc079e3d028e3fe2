"""What a document should be and what it is, field by field: pure."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

DOCUMENT = "(document)"
EVENT = "(event)"
POSITION = "_position"


class Difference(Struct, frozen=True):
    """A document, or one field of it, that is not what the fold of the log gives.

    `field` is a path with dots, `_position`, `(document)` for the whole of it, or `(event)` for an event that can't be
    folded and is no dead letter; `key` is then the stream's name if the documents are not known. None stands for
    nothing.
    """

    key: str
    field: str
    expected: Any
    found: Any


def different_fields(expected: Any, found: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The path, the value expected and the value found of each field that differs."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            inner = f"{path}.{name}" if path else name
            yield from different_fields(expected.get(name), found.get(name), inner)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(expected, found, strict=True)):
            yield from different_fields(*pair, f"{path}.{index}")
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield path, expected, found
