"""Structs as JSON Schema."""

import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct


def json_schema(struct: type[Struct]) -> dict[str, Any]:
    """The Struct in one document with its `$defs`. Times are marked as such, which msgspec leaves out where a time may
    be without a zone: ours never are."""
    schema = msgspec.json.schema(struct)
    for one in _structs(struct, set()):
        hints = typing.get_type_hints(one)
        properties = schema["$defs"][one.__name__]["properties"]
        for field in msgspec.structs.fields(one):
            if datetime in (hints[field.name], *typing.get_args(hints[field.name])):
                found = properties[field.encode_name]
                of_times = found.get("anyOf", [found.get("items", found)])
                for alternative in of_times:
                    if alternative.get("type") == "string":
                        alternative["format"] = "date-time"
    return schema


def _structs(hint: Any, seen: set[Any]) -> Iterator[type[Struct]]:
    """Every Struct that a type is made of."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        if hint in seen:
            return
        seen.add(hint)
        yield hint
        for inner in typing.get_type_hints(hint).values():
            yield from _structs(inner, seen)
    for inner in typing.get_args(hint):
        yield from _structs(inner, seen)
