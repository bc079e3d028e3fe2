"""What a command's HTTP headers may hold. What goes into an event is bounded here, and by infrastructure.telemetry."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from infrastructure.http.problems import Problem

WORD_PATTERN = r"^[!-~]{1,128}$"
"""Printable ASCII without spaces."""
_TAG = r'(?:W/)?"[!#-~]{0,64}"'
IF_MATCH_PATTERN = rf"^(?:\*|{_TAG}(?:[ \t]{{0,4}},[ \t]{{0,4}}{_TAG}){{0,15}})$"
"""`*`, or up to 16 entity tags of up to 64 characters (RFC 9110, 13.1.1). Empty members at an end are ignored."""

# Their names as they are shown, by what they are called on the wire.
_WORDS = {
    b"idempotency-key": "Idempotency-Key",
    b"x-correlation-id": "X-Correlation-ID",
    b"eventfold-actor": "Eventfold-Actor",
}
_TRACE = (b"traceparent", b"tracestate")
_NAMES = frozenset({*_WORDS, *_TRACE, b"if-match", b"content-type"})
_word = re.compile(WORD_PATTERN[1:-1])
_if_match = re.compile(IF_MATCH_PATTERN[1:-1])
_tags = re.compile(r'(W/)?"([!#-~]*)"')
_VERSION = re.compile(r"[0-9]{1,19}")

RawHeaders = Iterable[tuple[bytes, bytes]]
"""Headers as they came, names in small letters."""


class CommandHeaders(Struct, frozen=True):
    """The headers of one command. `if_match` is the set of versions that the client accepts, None for any. The trace
    headers stand as they came, each line by itself."""

    idempotency_key: str | None = None
    correlation_id: str | None = None
    actor: str | None = None
    if_match: frozenset[int] | None = None
    content_type: str = ""
    traceparent: tuple[str, ...] = ()
    tracestate: tuple[str, ...] = ()


def command_headers(raw: RawHeaders) -> CommandHeaders:
    """The headers that concern commands. Raises Problem (400), naming the header that is malformed."""
    found: dict[bytes, list[str]] = {}
    for name, value in raw:
        if name in _NAMES:
            found.setdefault(name, []).append(value.decode("latin-1"))
    if not found:
        return CommandHeaders()
    return CommandHeaders(
        _read_word(found, b"idempotency-key"),
        _read_word(found, b"x-correlation-id"),
        _read_word(found, b"eventfold-actor"),
        _read_if_match(found),
        _single(found, b"content-type", "Content-Type") or "",
        tuple(found.get(b"traceparent", ())),
        tuple(found.get(b"tracestate", ())),
    )


def _single(found: Mapping[bytes, list[str]], name: bytes, shown: str) -> str | None:
    values = found.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise _malformed(f"{shown} is sent {len(values)} times; it has one value")
    return values[0]


def _read_word(found: Mapping[bytes, list[str]], name: bytes) -> str | None:
    value = _single(found, name, _WORDS[name])
    if value is not None and not _word.fullmatch(value):
        raise _malformed(f"{_WORDS[name]} must be 1 to 128 printable ASCII characters without spaces")
    return value


def _read_if_match(found: Mapping[bytes, list[str]]) -> frozenset[int] | None:
    values = found.get(b"if-match")
    if values is None:
        return None
    value = ",".join(values).strip(", \t")
    if not _if_match.fullmatch(value):
        raise _malformed(f'If-Match takes "<version>" as the ETag header gave it, or *, not {value[:100]}')
    if value == "*":
        return None
    # A weak tag never matches here (RFC 9110, 13.1.1), nor does a tag that is not one of our versions.
    return frozenset(int(tag) for weak, tag in _tags.findall(value) if not weak and _VERSION.fullmatch(tag))


def _malformed(detail: str) -> Problem:
    return Problem(400, "malformed-header", "A request header is malformed", detail)
