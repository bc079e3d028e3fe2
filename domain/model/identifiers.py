"""Which ids and texts commands may hold: ids that are safe in a path, a stream name and a log line, texts that show."""

import re

from domain.model.errors import Fault

IDENTIFIER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
_IDENTIFIER = re.compile(IDENTIFIER_PATTERN[1:-1])

# Characters that don't show: Unicode's categories Cc, Cf, Co, Zl, Zp, and Zs but for the space itself. They are listed,
# not asked of this Python's Unicode tables, so that an OpenAPI document can tell them, and every version says the same.
_HIDDEN = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb"
)
# A JSON schema's pattern can name neither these nor half a character without more than every reader of one takes.
_HIDDEN_BEYOND = (
    "\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f\U000f0000-\U0010ffff"
)
TEXT_PATTERN = rf"^ *[^ {_HIDDEN}][^{_HIDDEN}]*$"
"""Printable text that is not all blank. Beyond U+FFFF, formatting and private characters are refused as well."""
_TEXT = re.compile(rf" *[^ {_HIDDEN}{_HIDDEN_BEYOND}][^{_HIDDEN}{_HIDDEN_BEYOND}]*")


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
    """One fault when `value` is empty, blank, longer than `longest` characters or has a character that doesn't show."""
    if len(value) > longest or not _TEXT.fullmatch(value):
        return [Fault(pointer, f"must be 1 to {longest} printable characters, not all blank")]
    return []
