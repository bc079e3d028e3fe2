"""Times inside of what a document holds: in Structs, and in lists of them, at any depth."""

import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import FieldInfo

from query_api.http.times import rfc3339

Show = Callable[[Any], Any]
"""show(value of a field) -> what clients see of it."""


class ShownField(Struct, frozen=True):
    """The type that a field is described with, and what makes its value one of them."""

    kind: Any
    show: Show


def is_time(field: FieldInfo) -> bool:
    """Whether the field holds a time, by its name: epoch milliseconds in `*_at`."""
    return field.encode_name.endswith("_at") and field.type in (int, int | None)


def fields_with_times_inside(fields: Iterable[FieldInfo]) -> dict[str, ShownField]:
    """Those of the fields that hold Structs with times."""
    found = ((field.encode_name, _with_times(field.type)) for field in fields)
    return {name: shown for name, shown in found if shown is not None}


def described_field(field: FieldInfo, name: str, kind: Any) -> tuple[Any, ...]:
    """The field for `msgspec.defstruct`, under that name and of that type; optional where documents may lack it."""
    return (name, kind) if field.required else (name, kind | UnsetType, UNSET)


def _with_times(kind: Any) -> ShownField | None:
    if typing.get_origin(kind) is list:
        item = _with_times(typing.get_args(kind)[0])
        return None if item is None else ShownField(list[item.kind], _each(item.show))  # type: ignore[name-defined]
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _struct_with_times(kind)
    return None


def _struct_with_times(struct: type[Struct]) -> ShownField | None:
    fields = msgspec.structs.fields(struct)
    shown = {field.encode_name: ShownField(datetime, rfc3339) for field in fields if is_time(field)}
    shown |= fields_with_times_inside(fields)
    if not shown:
        return None
    described = [
        described_field(field, name, shown[name].kind if name in shown else field.type)
        for field in fields
        for name in (field.encode_name,)
    ]
    kind = msgspec.defstruct(struct.__name__, described, kw_only=True, module=struct.__module__)
    return ShownField(kind, _in_object({name: one.show for name, one in shown.items()}))


def _each(show: Show) -> Show:
    return lambda items: [show(item) for item in items]


def _in_object(shows: Mapping[str, Show]) -> Show:
    return lambda value: {name: shows[name](one) if name in shows else one for name, one in value.items()}
