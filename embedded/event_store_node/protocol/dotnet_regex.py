"""
Regular expressions as the real server takes them, .NET's, written anew for an engine whose time is linear in the text:
RE2, which knows neither look-around nor back-references. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from embedded.event_store_node.protocol import character_sets
from embedded.event_store_node.protocol.character_sets import Ranges

_GROUP = re.compile(r"\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_OPTIONS = re.compile(r"\(\?([imnsx]*(?:-[imnsx]+)?)([:)])")
_COMMENT = re.compile(r"\(\?#[^)]*\)")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??", re.ASCII)
_CATEGORY = re.compile(r"\\([pP])\{(\w+)\}")
_CODE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|c([A-Za-z@\[\\\]^_])|(0[0-7]{0,2}))")
_CONTROLS = {"a": 7, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "e": 27}
_NAMED_SETS = {"d": character_sets.digit, "w": character_sets.word, "s": character_sets.space}
# The text's end, or before a line feed that ends it; with the option m, the end of any line.
_END = r"(?:\n?\z|$)"
_NOT_UNDERSTOOD = {
    "(?<=": "a look-behind",
    "(?<!": "a look-behind",
    "(?>": "an atomic group",
    "(?(": "a condition",
    "(?<": "a balancing group or a group's wrong name",
    "(?'": "a balancing group or a group's wrong name",
}


class InvalidRegexError(ValueError):
    """The expression is malformed, or holds what is not understood here; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Term:
    """An expression that has to be found in the text, or must not be."""

    regex: str
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class Translation:
    """
    A text matches when it does all of any of the alternatives. `repeated` is how many characters stand inside of
    repetitions, each as often as it may come: what a search keeps in view at a time grows with it.
    """

    alternatives: tuple[tuple[Term, ...], ...]
    repeated: int


class _Kind(Enum):
    START = auto()
    ASSERTION = auto()
    CHARACTER = auto()
    QUANTIFIER = auto()
    OPTIONS = auto()
    OPEN = auto()
    LOOK_AHEAD = auto()
    LOOK_AHEAD_NOT = auto()
    CLOSE = auto()
    BAR = auto()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: _Kind
    text: str
    at: int


def translated(regex: str) -> Translation:
    """
    The same expression for RE2; whether a text matches is all that is kept of it.

    A look-ahead is understood at a fixed distance behind the text's start, outside of any group, as in
    `^(?!\\$)` or `^order-(?!test-)`: it becomes an expression of its own.

    Raises:
        InvalidRegexError: it is malformed, or holds another look-ahead, or a look-behind, back-reference, atomic or
            balancing group, condition, block of characters (`IsGreek`) or the option x.
    """
    tokens = list(_tokens(regex))
    _check_nesting(tokens)
    options: list[_Token] = []
    alternatives = []
    for branch in _branches(tokens):
        # Options hold to the end of the group, in the alternatives that follow, too.
        given = [*options, *branch]
        alternatives.append(tuple(_terms(given)))
        options += [token for token in _outside_of_groups(branch) if token.kind is _Kind.OPTIONS]
    return Translation(tuple(alternatives), _repeated(tokens))


def _repeated(tokens: Sequence[_Token]) -> int:
    """For each group that is open: the characters in repetitions, then all of them, and those of the last item."""
    repeated, size, last_repeated, last_size = 0, 0, 0, 0
    outer: list[tuple[int, int]] = []
    for token in tokens:
        if token.kind is _Kind.QUANTIFIER:
            times = _times(token.text)
            added = last_size * times if times > 1 or token.text[0] in "*+" else last_repeated * times
            repeated += added - last_repeated
            size += last_size * (times - 1)
        elif _depth_of(token) == 1:
            outer.append((repeated, size))
            repeated = size = 0
        elif token.kind is _Kind.CLOSE:
            last_repeated, last_size = repeated, size
            before, before_size = outer.pop()
            repeated, size = before + repeated, before_size + size
        else:
            last_repeated, last_size = 0, int(token.kind is _Kind.CHARACTER)
            size += last_size
    return repeated


def _times(quantifier: str) -> int:
    if quantifier[0] != "{":
        return 1
    return max(1, *(int(number) for number in re.findall("[0-9]{1,9}", quantifier)), 1)


# Look-aheads


def _check_nesting(tokens: Sequence[_Token]) -> None:
    depth = 0
    for token in tokens:
        if token.kind in (_Kind.LOOK_AHEAD, _Kind.LOOK_AHEAD_NOT) and depth:
            raise InvalidRegexError(f"a look-ahead inside of a group is not understood (at {token.at})")
        depth += _depth_of(token)
        if depth < 0:
            raise InvalidRegexError(f"there are too many ) (at {token.at})")
    if depth:
        raise InvalidRegexError("a ) is missing")


def _depth_of(token: _Token) -> int:
    if token.kind in (_Kind.OPEN, _Kind.LOOK_AHEAD, _Kind.LOOK_AHEAD_NOT):
        return 1
    return -1 if token.kind is _Kind.CLOSE else 0


def _branches(tokens: Sequence[_Token]) -> Iterator[Sequence[_Token]]:
    """What the alternation outside of any group divides: whole, unless there are look-aheads to tell apart."""
    begin = 0
    if any(token.kind in (_Kind.LOOK_AHEAD, _Kind.LOOK_AHEAD_NOT) for token in tokens):
        bars = {token.at for token in _outside_of_groups(tokens) if token.kind is _Kind.BAR}
        for number, token in enumerate(tokens):
            if token.at in bars:
                yield tokens[begin:number]
                begin = number + 1
    yield tokens[begin:]


def _outside_of_groups(tokens: Sequence[_Token]) -> Iterator[_Token]:
    depth = 0
    for token in tokens:
        depth += _depth_of(token)
        if not depth and token.kind is not _Kind.CLOSE:
            yield token


def _terms(branch: Sequence[_Token]) -> Iterator[Term]:
    rest: list[_Token] = []
    at = 0
    while at < len(branch):
        token = branch[at]
        if token.kind not in (_Kind.LOOK_AHEAD, _Kind.LOOK_AHEAD_NOT):
            rest.append(token)
            at += 1
            continue
        end = _end_of_group(branch, at)
        if not _is_fixed(rest):
            raise InvalidRegexError(
                f"a look-ahead that is not at a fixed distance behind the start is not understood (at {token.at})"
            )
        if end < len(branch) and branch[end].kind is _Kind.QUANTIFIER:
            raise InvalidRegexError(f"a look-ahead that is repeated is not understood (at {token.at})")
        ahead = _text([*rest, _Token(_Kind.OPEN, "(?:", token.at), *branch[at + 1 : end]])
        yield Term(ahead, token.kind is _Kind.LOOK_AHEAD)
        at = end
    yield Term(_text(rest))


def _end_of_group(tokens: Sequence[_Token], at: int) -> int:
    depth = _depth_of(tokens[at])
    while depth:
        at += 1
        depth += _depth_of(tokens[at])
    return at + 1


def _is_fixed(tokens: Sequence[_Token]) -> bool:
    """Whether what follows these can stand at one place of a text only."""
    inside = [token for token in tokens if token.kind is not _Kind.OPTIONS]
    if not inside or inside[0].kind is not _Kind.START or any("m" in t.text for t in tokens if t.kind is _Kind.OPTIONS):
        return False
    return all(token.kind in (_Kind.START, _Kind.ASSERTION, _Kind.CHARACTER) for token in inside)


def _text(tokens: Sequence[_Token]) -> str:
    return "".join(token.text for token in tokens)


# Tokens, in RE2's syntax


def _tokens(regex: str) -> Iterator[_Token]:
    at = 0
    while at < len(regex):
        kind, text, end = _token(regex, at)
        if text:
            yield _Token(kind, text, at)
        at = end


def _token(regex: str, at: int) -> tuple[_Kind, str, int]:
    character = regex[at]
    if character == "(":
        return _group(regex, at)
    if found := _QUANTIFIER.match(regex, at):
        return _Kind.QUANTIFIER, found[0], found.end()
    match character:
        case ")":
            return _Kind.CLOSE, ")", at + 1
        case "|":
            return _Kind.BAR, "|", at + 1
        case "^":
            return _Kind.START, "^", at + 1
        case "$":
            return _Kind.ASSERTION, _END, at + 1
        case ".":
            return _Kind.CHARACTER, ".", at + 1
        case "[":
            text, _, end = _character_class(regex, at)
            return _Kind.CHARACTER, text, end
        case "\\":
            return _escape(regex, at)
        case _:
            return _Kind.CHARACTER, _literal(ord(character)), at + 1


def _group(regex: str, at: int) -> tuple[_Kind, str, int]:
    if not regex.startswith("(?", at):
        return _Kind.OPEN, "(?:", at + 1
    if found := _COMMENT.match(regex, at):
        return _Kind.OPTIONS, "", found.end()
    if found := _GROUP.match(regex, at):
        return _Kind.OPEN, "(?:", found.end()
    if found := _OPTIONS.match(regex, at):
        return _options(found)
    if regex.startswith("(?=", at):
        return _Kind.LOOK_AHEAD, "(?:", at + 3
    if regex.startswith("(?!", at):
        return _Kind.LOOK_AHEAD_NOT, "(?:", at + 3
    what = next((what for begin, what in _NOT_UNDERSTOOD.items() if regex.startswith(begin, at)), "this kind of group")
    raise InvalidRegexError(f"{what} is not understood (at {at})")


def _options(found: "re.Match[str]") -> tuple[_Kind, str, int]:
    on, _, off = found[1].partition("-")
    if "x" in on:
        raise InvalidRegexError(f"the option x is not understood (at {found.start()})")
    # n tells what groups keep, and nothing is kept.
    on, off = (_each_once(letters, "ims") for letters in (on, off))
    is_group = found[2] == ":"
    changes = on + (f"-{off}" if off else "")
    text = f"(?{changes}{found[2]}" if changes or is_group else ""
    return _Kind.OPEN if is_group else _Kind.OPTIONS, text, found.end()


def _each_once(letters: str, known: str) -> str:
    return "".join(letter for letter in known if letter in letters)


def _escape(regex: str, at: int) -> tuple[_Kind, str, int]:
    letter = regex[at + 1 : at + 2]
    match letter:
        case "A":
            return _Kind.START, r"\A", at + 2
        case "z":
            return _Kind.ASSERTION, r"\z", at + 2
        case "Z":
            return _Kind.ASSERTION, r"(?:\n?\z)", at + 2
        case "b" | "B":
            return _Kind.ASSERTION, f"\\{letter}", at + 2
        case "k" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9":
            raise InvalidRegexError(f"a back-reference is not understood (at {at})")
    ranges, end = _escaped(regex, at)
    return _Kind.CHARACTER, f"[{_inside(ranges)}]", end


# Characters and their classes


def _literal(code: int) -> str:
    character = chr(code)
    return character if character.isascii() and character.isalnum() else f"\\x{{{code:x}}}"


def _inside(ranges: Ranges) -> str:
    """These characters as they stand in a class; it must hold something."""
    return (
        "".join(_literal(first) + (f"-{_literal(last)}" if last > first else "") for first, last in ranges)
        or "^\\x{0}-\\x{10ffff}"
    )


def _character_class(regex: str, start: int) -> tuple[str, Ranges, int]:
    """
    The class that begins at `start`, the characters in it, and where it ends. `[a-z-[aeiou]]` takes away the inner
    class.
    """
    at = start + 1
    is_negated = regex.startswith("^", at)
    at += is_negated
    first = at
    sets: list[Ranges] = []
    while at < len(regex):
        if regex[at] == "]" and at > first:
            ranges = character_sets.union(sets)
            # The engine is to negate it: it knows the other case of each letter, if case is not to matter.
            text = f"[{'^' if is_negated else ''}{_inside(ranges)}]"
            return text, character_sets.complement(ranges) if is_negated else ranges, at + 1
        if regex.startswith("-[", at) and at > first:
            _, taken_away, at = _character_class(regex, at + 1)
            if not regex.startswith("]", at):
                raise InvalidRegexError(f"nothing may follow the class that is taken away (at {at})")
            ranges = character_sets.union(sets)
            base = character_sets.complement(ranges) if is_negated else ranges
            remaining = character_sets.difference(base, taken_away)
            return f"[{_inside(remaining)}]", remaining, at + 1
        ranges, at = _range(regex, at)
        sets.append(ranges)
    raise InvalidRegexError(f"a ] is missing (the class begins at {start})")


def _range(regex: str, at: int) -> tuple[Ranges, int]:
    """A character, a named set or a range inside a class."""
    begin, end = _member(regex, at)
    if not regex.startswith("-", end) or regex[end + 1 : end + 2] in ("", "]", "["):
        return begin, end
    last, after = _member(regex, end + 1)
    if not _is_one(begin):
        return begin, end  # `[\w-a]`: the hyphen is itself
    if not _is_one(last) or last[0][0] < begin[0][0]:
        raise InvalidRegexError(f"a range of characters is reversed, or ends with a set (at {at})")
    return ((begin[0][0], last[0][0]),), after


def _is_one(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _member(regex: str, at: int) -> tuple[Ranges, int]:
    if regex[at] != "\\":
        return _one(ord(regex[at])), at + 1
    if regex.startswith("b", at + 1):
        return _one(8), at + 2
    return _escaped(regex, at)


def _escaped(regex: str, at: int) -> tuple[Ranges, int]:
    """The characters that an escape stands for."""
    if found := _CATEGORY.match(regex, at):
        members = character_sets.category(found[2])
        if members is None:
            raise InvalidRegexError(f"the category {found[2]} is not known (at {at})")
        return members if found[1] == "p" else character_sets.complement(members), found.end()
    if found := _CODE.match(regex, at):
        hexadecimal, control, octal = found[1] or found[2], found[3], found[4]
        if control:
            return _one(ord(control.upper()) ^ 64), found.end()
        return _one(int(hexadecimal, 16) if hexadecimal else int(octal, 8)), found.end()
    letter = regex[at + 1 : at + 2]
    if letter in _CONTROLS:
        return _one(_CONTROLS[letter]), at + 2
    if letter.lower() in _NAMED_SETS and letter:
        members = _NAMED_SETS[letter.lower()]()
        return members if letter.islower() else character_sets.complement(members), at + 2
    if not letter or letter.isalnum() or letter == "_":
        raise InvalidRegexError(f"\\{letter} is not understood (at {at})")
    return _one(ord(letter)), at + 2


def _one(code: int) -> Ranges:
    return ((code, code),)
