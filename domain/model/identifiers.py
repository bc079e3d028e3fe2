"""Which ids an aggregate or a customer may have: safe in a path, a stream name and a log line."""

import re

from domain.model.errors import Fault

IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
_IDENTIFIER = re.compile(IDENTIFIER_PATTERN[1:-1])


def is_identifier(value: str) -> bool:
    """Whether `value` may be the id of an aggregate or of whoever it concerns."""
    return _IDENTIFIER.fullmatch(value) is not None


def identifier_faults(value: str, pointer: str) -> list[Fault]:
    """One fault when `value` is not an identifier, otherwise none."""
    if is_identifier(value):
        return []
    detail = "must be 1 to 64 letters, digits, '_', '.', ':' or '-', and begin with a letter or a digit"
    return [Fault(pointer, detail)]


def text_faults(value: str, pointer: str, longest: int) -> list[Fault]:
    """One fault when `value` is empty, blank, longer than `longest` characters or contains a control character."""
    if not value.strip() or len(value) > longest or not value.isprintable():
        return [Fault(pointer, f"must be 1 to {longest} printable characters, not all blank")]
    return []
