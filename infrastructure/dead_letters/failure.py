"""Why something could not be handled, and the fingerprint that the same fault has every time."""

import hashlib
from collections.abc import Iterable

from msgspec import Struct

from infrastructure.dead_letters.masking import masked
from infrastructure.dead_letters.places import place_of

_DIGITS = 12
# Raised when the way in which a fingerprint is found changes, so that old and new groups are not mixed up.
_SCHEME = "1"
_LONGEST_SHOWN = 300


class Failure(Struct, frozen=True):
    """`error` is the text as operators are shown it, `place` the function of ours that raised (empty: not known),
    `message` the error without what differs from event to event. `fingerprint` is twelve hexadecimal digits: the same
    in every process and after every restart for the same type of exception from the same place with the same message,
    for the same type of event."""

    error: str
    place: str
    message: str
    fingerprint: str

    @property
    def fault(self) -> int:
        """The fingerprint as a number, which stores can sort by: below 2^48."""
        return fault_number(self.fingerprint)


def fault_number(fingerprint: str) -> int:
    """A fingerprint as a number. Raises ValueError unless it is one."""
    if len(fingerprint) != _DIGITS or fingerprint.strip("0123456789abcdef"):
        raise ValueError(f"{fingerprint!r} is no fingerprint, which has {_DIGITS} hexadecimal digits in lower case")
    return int(fingerprint, 16)


def failure_of(error: BaseException, kind: str, values: Iterable[str] = (), *, shown: str | None = None) -> Failure:
    """The failure of one exception for an event or a message of a type. `values` are what its message may name of this
    one alone: the key, the stream, the texts of the event. `shown` is its text where that may not be shown as it is."""
    cause = _single(error)
    text = f"{type(cause).__name__}: {cause}" if shown is None else shown
    module = type(cause).__module__
    name = type(cause).__qualname__ if module == "builtins" else f"{module}.{type(cause).__qualname__}"
    return _failure(text, name, place_of(cause), kind, values)


def failure_told(text: str, kind: str, values: Iterable[str] = (), *, place: str = "") -> Failure:
    """The failure of which the text alone is known, such as that of a record that an older release made; and its place,
    where that is known too."""
    return _failure(text, "", place, kind, values)


def _failure(text: str, name: str, place: str, kind: str, values: Iterable[str]) -> Failure:
    message = masked(text, values)
    told = "\0".join((_SCHEME, name, place, message, kind))
    digest = hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()
    return Failure(text, place, message[:_LONGEST_SHOWN], digest[:_DIGITS])


def _single(error: BaseException) -> BaseException:
    """The one exception in a group of one: how it was run is no part of the fault."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
