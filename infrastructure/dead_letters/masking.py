"""A message without what differs from one dead letter to the next: ids, numbers, times, and the values of its own."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

MASK = "#"

# Longer messages hold documents; what tells one fault from another stands at their beginning.
_LONGEST = 2_000
_MOST_VALUES = 5_000
_WITH_A_DIGIT = re.compile(r"[+-]?(?=[\w+-]*\d)\w[\w+-]*(?:[.,:]\d[\w+-]*)*")
_REDACTED = "[redacted]"
_IN_QUOTES = re.compile(rf"([\"'`]){MASK}\1")
_SEVERAL = re.compile(rf"{MASK}(?:[\s,;|/]*{MASK})+")
_SPACE = re.compile(r"\s+")


def masked(message: str, values: Iterable[str] = ()) -> str:
    """The message with a mark in the place of each of `values`, and of every word that has a digit in it.

    Several marks in a row become one, for how many there are is no other fault; nor is how a value is quoted.
    """
    text = message[:_LONGEST].replace(_REDACTED, MASK)
    for value in sorted(_spellings(values), key=lambda one: (-len(one), one)):
        if value in text:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
    text = _WITH_A_DIGIT.sub(MASK, text)
    text = _IN_QUOTES.sub(MASK, text)
    return _SPACE.sub(" ", _SEVERAL.sub(MASK, text)).strip()


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value that came out of JSON, but not the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_in(one)


def texts_in_json(data: bytes | str) -> Iterator[str]:
    """Every text in JSON; none where it is no JSON."""
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    yield from texts_in(decoded)


def _spellings(values: Iterable[str]) -> set[str]:
    """Each value as it is, and as it stands in a `repr`."""
    found: set[str] = set()
    for value in values:
        if len(found) >= _MOST_VALUES:
            break
        if value.strip(f"{MASK} "):
            found.add(value)
            found.add(repr(value)[1:-1])
    return found
