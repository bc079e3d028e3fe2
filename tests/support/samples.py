"""One event of a type, made by its fields: for tests that go over all types and care for no values."""

import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
from msgspec import Struct

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
# What a field of this name must hold, whatever its type allows.
_NAMED = {"process": "order_fulfilment", "instance": "o-1", "order_id": "o-1", "reference": "o-1"}


def sample(struct: type[Struct]) -> Any:
    """An event with plain values; all samples are of one order."""
    hints = typing.get_type_hints(struct)
    return struct(**{one.name: _NAMED.get(one.name, _value(hints[one.name])) for one in msgspec.structs.fields(struct)})


def _value(of: Any) -> Any:
    plain = {str: "x", int: 1, bool: True, float: 1.0, datetime: AT}
    if of in plain:
        return plain[of]
    origin = typing.get_origin(of)
    if origin in (dict, Mapping):
        return {}
    if origin is not None:
        return []
    if isinstance(of, type) and issubclass(of, Enum):
        return next(iter(of))
    raise TypeError(f"no sample of {of}")
