"""What each kind of declared parameter is over HTTP: how its text is read, and what OpenAPI says of it."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from domain.model.identifiers import IDENTIFIER_PATTERN, TEXT_PATTERN, identifier_faults, is_identifier, text_faults
from query_api.http.parameters import RouteParameter, whole_number
from query_api.http.problems import malformed
from query_api.http.times import epoch_millis
from read_models.model.parameter import Date, Identifier, Kind, OneOf, Parameter, Text, Time, WholeNumber

Parse = Callable[[str], Any]
"""parse(text) -> the value that documents are compared with; raises Problem (400), naming the parameter."""


def parser(parameter: Parameter) -> Parse:
    """The function that reads the parameter's text."""
    name = parameter.name
    match parameter.kind:
        case Identifier():
            return partial(_identifier, name=name)
        case WholeNumber(lowest, highest):
            return partial(whole_number, name=name, lowest=lowest, highest=highest)
        case OneOf(words):
            return partial(_one_of, name=name, words=words)
        case Date():
            return partial(_date, name=name)
        case Time():
            return partial(_time, name=name)
        case Text(longest):
            return partial(_text, name=name, longest=longest)


def described(parameter: Parameter, *, required: bool | None = None) -> RouteParameter:
    """The parameter as OpenAPI describes it."""
    needed = parameter.required if required is None else required
    return RouteParameter(parameter.name, parameter.description, _schema(parameter.kind), needed)


def hint(kind: Kind) -> str:
    """What a value looks like, for who has sent none."""
    match kind:
        case Identifier():
            return "an identifier"
        case WholeNumber(lowest, highest):
            return f"a whole number from {lowest} to {highest}"
        case OneOf(words):
            return f"one of {', '.join(words)}"
        case Date():
            return "a date such as 2026-01-31"
        case Time():
            return "a time such as 2026-01-31T15:00:00Z"
        case Text(longest):
            return f"1 to {longest} printable characters"


def _schema(kind: Kind) -> dict[str, Any]:
    match kind:
        case Identifier():
            return {"type": "string", "pattern": IDENTIFIER_PATTERN}
        case WholeNumber(lowest, highest):
            return {"type": "integer", "minimum": lowest, "maximum": highest}
        case OneOf(words):
            return {"type": "string", "enum": list(words)}
        case Date():
            return {"type": "string", "format": "date"}
        case Time():
            return {"type": "string", "format": "date-time"}
        case Text(longest):
            return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": TEXT_PATTERN}


def _identifier(value: str, name: str) -> str:
    if is_identifier(value):
        return value
    raise malformed(f"{name} {identifier_faults(value, name)[0].detail}")


def _one_of(value: str, name: str, words: tuple[str, ...]) -> str:
    if value not in words:
        raise malformed(f"{name} must be one of {', '.join(words)}, not {value[:50]!r}")
    return value


def _date(value: str, name: str) -> int:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = None
    # fromisoformat takes other forms of ISO 8601 too, such as 20260131.
    if day is None or day.isoformat() != value:
        raise malformed(f"{name} must be a date such as 2026-01-31, not {value[:50]!r}")
    return day.year * 10_000 + day.month * 100 + day.day


def _time(value: str, name: str) -> int:
    try:
        return epoch_millis(value)
    except ValueError as error:
        raise malformed(f"{name} must be a time such as 2026-01-31T15:00:00Z, not {value[:50]!r}") from error


def _text(value: str, name: str, longest: int) -> str:
    for fault in text_faults(value, name, longest):
        raise malformed(f"{name} {fault.detail}")
    return value
