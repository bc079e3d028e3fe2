"""Fields that tell something of a person: marked where an event or a command is declared, encrypted where it is stored.

    email: Annotated[str, Personal("customer", "customer_id")]

says that the field is of the customer whose id stands in the field `customer_id` of the same event. An event may have
fields of several persons. What a mark covers is the whole value of the field; the id itself stays in clear.
"""

import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Struct

REDACTED = "[redacted]"
"""What is read in the place of a personal text whose person was forgotten."""

_SHORTEST = 3


class Personal(Struct, frozen=True):
    """The mark. `subject` is the kind of person, the same wherever the same persons are meant; `by` names the field
    with the person's id. `redacted` is read once the person is forgotten: JSON that the field's type takes, and that
    upcasters get where the mark is of an older schema version.

    A field that `begins` is of an event by which somebody becomes known, or known again: for such a person a new key is
    made although an earlier one was destroyed. Everywhere else what concerns a forgotten person is written redacted.
    """

    subject: str
    by: str
    redacted: Any = REDACTED
    begins: bool = False


class PersonalInput(Struct, frozen=True):
    """The mark of a command's field that is personal: whose it is, the command's events say."""


PERSONAL_INPUT = PersonalInput()

Marks = Mapping[str, Personal]
"""Field, by its name in JSON, -> its mark."""


@cache
def personal_fields(struct: type[Struct]) -> Marks:
    """The marked fields of a Struct.

    Raises ValueError, naming the field, when a mark can't be: where it names no field for the person's id, where
    another field's type has a marked field inside it, or where the redacted value is none of the field's type.
    """
    fields = {one.name: one for one in msgspec.structs.fields(struct)}
    hints = typing.get_type_hints(struct, include_extras=True)
    marks: dict[str, Personal] = {}
    for name, field in fields.items():
        where = f"{struct.__name__}.{name}"
        mark = _mark(hints[name])
        if mark is None:
            if _holds_marks(hints[name], frozenset({struct})):
                raise ValueError(f"{where} has a personal field inside it: the mark belongs to the whole field")
            continue
        if mark.by not in fields or mark.by == name or _mark(hints[mark.by]) is not None:
            raise ValueError(
                f"{where} is personal by {mark.by}, which is no other, unmarked field of {struct.__name__}"
            )
        try:
            msgspec.convert(mark.redacted, hints[name])
        except msgspec.ValidationError as error:
            raise ValueError(f"{where}: its redacted value does not fit: {error}") from error
        marks[field.encode_name] = msgspec.structs.replace(mark, by=fields[mark.by].encode_name)
    return marks


@cache
def personal_inputs(command: type[Struct]) -> frozenset[str]:
    """The fields of a command's Struct that are personal, by their names in JSON."""
    hints = typing.get_type_hints(command, include_extras=True)
    return frozenset(
        one.encode_name
        for one in msgspec.structs.fields(command)
        if PERSONAL_INPUT in getattr(hints[one.name], "__metadata__", ())
    )


def without_personal(text: str, event: Struct) -> str:
    """A text about an event, such as an error, without what the event's personal fields say."""
    for name in personal_fields(type(event)):
        for value in _texts(msgspec.to_builtins(_value(event, name))):
            text = text.replace(value, REDACTED)
    return text


def _value(event: Struct, encoded: str) -> Any:
    name = next(one.name for one in msgspec.structs.fields(event) if one.encode_name == encoded)
    return getattr(event, name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST and value != REDACTED:
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _mark(hint: Any) -> Personal | None:
    if typing.get_origin(hint) is not Annotated:
        return None
    found = [one for one in hint.__metadata__ if isinstance(one, Personal)]
    if len(found) > 1:
        raise ValueError(f"a field has two marks: {found[0]} and {found[1]}")
    return found[0] if found else None


def _holds_marks(hint: Any, seen: frozenset[Any]) -> bool:
    if isinstance(hint, type) and issubclass(hint, Struct):
        if hint in seen:
            return False
        inner = typing.get_type_hints(hint, include_extras=True).values()
        return any(_mark(one) is not None or _holds_marks(one, seen | {hint}) for one in inner)
    return any(_mark(one) is not None or _holds_marks(one, seen) for one in typing.get_args(hint))
