"""Sets of characters as sorted ranges of code points, and the sets that have names in .NET's expressions: pure."""

import sys
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby

Ranges = tuple[tuple[int, int], ...]

# Characters are units of UTF-16 there: what is beyond belongs to no category.
_LAST_WITH_CATEGORY = 0xFFFF


def union(sets: Iterable[Ranges]) -> Ranges:
    """The characters of all sets together."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(one for ranges in sets for one in ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """Every other character."""
    others: list[tuple[int, int]] = []
    at = 0
    for first, last in ranges:
        if at < first:
            others.append((at, first - 1))
        at = last + 1
    if at <= sys.maxunicode:
        others.append((at, sys.maxunicode))
    return tuple(others)


def difference(ranges: Ranges, taken_away: Ranges) -> Ranges:
    """What is in the first set alone."""
    return complement(union([complement(ranges), taken_away]))


@lru_cache(64)
def category(name: str) -> Ranges | None:
    """The characters of a category, given by one letter (`L`) or two (`Lu`); None if there is none."""
    return union(_categories()[one] for one in _categories() if one.startswith(name)) or None


@cache
def word() -> Ranges:
    """What `\\w` stands for."""
    return union(_categories()[name] for name in _categories() if name[0] == "L" or name in ("Mn", "Nd", "Pc"))


@cache
def space() -> Ranges:
    """What `\\s` stands for."""
    return union([((9, 13), (0x85, 0x85)), *(_categories()[name] for name in ("Zs", "Zl", "Zp"))])


@cache
def digit() -> Ranges:
    """What `\\d` stands for."""
    return _categories()["Nd"]


@cache
def _categories() -> dict[str, Ranges]:
    codes: dict[str, list[tuple[int, int]]] = {}
    for name, run in groupby(range(_LAST_WITH_CATEGORY + 1), key=lambda code: unicodedata.category(chr(code))):
        members = list(run)
        codes.setdefault(name, []).append((members[0], members[-1]))
    return {name: tuple(ranges) for name, ranges in codes.items()}
