"""Regular expressions as the real server takes them, .NET's, written anew for Python: pure."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

_NAMED_GROUP = re.compile(r"\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_NAMED_REFERENCE = re.compile(r"\\k(?:<(\w+)>|'(\w+)')")
_CATEGORY = re.compile(r"\\([pP])\{(\w+)\}")
_ANCHORS = {r"\z": r"\Z", r"\Z": r"(?=\n?\Z)", r"\e": r"\x1b"}
# The escape character, and what Python might once take for set operations.
_IN_CLASS = {r"\e": r"\x1b", **{character: f"\\{character}" for character in "[&~|"}}
# Characters are units of UTF-16 there: what is beyond belongs to no category.
_LAST = 0xFFFF


class UnknownCategoryError(ValueError):
    """A category of characters that is none, or one of those by block (`IsGreek`), which are not known here."""


@lru_cache(256)
def translated(regex: str) -> str:
    """
    The same expression in Python's syntax. What Python has no like of stays as it is, for its compiler to refuse:
    look-behinds of varying length, options that change in the middle, balancing groups.

    Raises:
        UnknownCategoryError: it names a category that is not known.
    """
    return "".join(_parts(regex))


def _parts(regex: str) -> Iterator[str]:
    at = 0
    while at < len(regex):
        if regex[at] == "[":
            part, at = _character_class(regex, at)
            yield part
        elif found := _CATEGORY.match(regex, at):
            yield f"[{_category(found)}]"
            at = found.end()
        elif found := _NAMED_GROUP.match(regex, at):
            yield f"(?P<{found[1] or found[2]}>"
            at = found.end()
        elif found := _NAMED_REFERENCE.match(regex, at):
            yield f"(?P={found[1] or found[2]})"
            at = found.end()
        elif regex.startswith("{,", at):  # no quantifier there
            yield r"\{"
            at += 1
        else:
            width = 2 if regex[at] == "\\" else 1
            token = regex[at : at + width]
            yield _ANCHORS.get(token, token)
            at += width


def _character_class(regex: str, start: int) -> tuple[str, int]:
    """The class that begins at `start`, and where it ends. `[a-z-[aeiou]]` takes away the inner class."""
    at = start + 1
    parts = ["["]
    if regex.startswith("^", at):
        parts.append("^")
        at += 1
    first = at
    while at < len(regex):
        if regex[at] == "]" and at > first:
            return "".join(parts) + "]", at + 1
        if regex.startswith("-[", at) and at > first:
            taken_away, at = _character_class(regex, at + 1)
            if not regex.startswith("]", at):
                return "[", at  # nothing may follow it: an error there, and so here
            return f"(?:(?!{taken_away}){''.join(parts)}])", at + 1
        if found := _CATEGORY.match(regex, at):
            parts.append(_category(found))
            at = found.end()
        else:
            width = 2 if regex[at] == "\\" else 1
            token = regex[at : at + width]
            parts.append(_IN_CLASS.get(token, token))
            at += width
    return "".join(parts), at


def _category(found: "re.Match[str]") -> str:
    return _ranges(found[2]) if found[1] == "p" else _complement(found[2])


@lru_cache(64)
def _ranges(category: str) -> str:
    """What stands in a class for the characters of a category, given by one letter or two."""
    members = [n for n in range(_LAST + 1) if unicodedata.category(chr(n)).startswith(category)]
    if not members or len(category) > 2:
        raise UnknownCategoryError(f"the category {category} is not known")
    return _class_of(members)


@lru_cache(64)
def _complement(category: str) -> str:
    _ranges(category)
    others = [n for n in range(_LAST + 1) if not unicodedata.category(chr(n)).startswith(category)]
    return f"{_class_of(others)}\\U{_LAST + 1:08x}-\\U{sys.maxunicode:08x}"


def _class_of(codes: list[int]) -> str:
    runs = ([code for _, code in run] for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]))
    return "".join(f"\\u{run[0]:04x}-\\u{run[-1]:04x}" for run in runs)
