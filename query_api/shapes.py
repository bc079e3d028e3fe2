"""How a view's documents are shown: times as text, everything else as it stands."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from query_api.times import rfc3339
from read_models.view import View

_TIME = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Shape:
    """The public form of one view's documents. Fields named `*_at` are epoch milliseconds in the store."""

    def __init__(self, view: View) -> None:
        fields = msgspec.structs.fields(view.document)
        self._times = tuple(field.encode_name for field in fields if field.encode_name.endswith("_at"))
        self.struct = _public_struct(view, fields)

    def show(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The document for a client; `fields` is changed in place, so the caller gives it up."""
        for name in self._times:
            if name in fields:
                fields[name] = rfc3339(fields[name])
        return fields


def _public_struct(view: View, fields: Iterable[msgspec.structs.FieldInfo]) -> type[Struct]:
    """The type that OpenAPI describes."""
    shown: list[Any] = []
    for field in fields:
        kind = _TIME if field.encode_name.endswith("_at") else field.type
        if field.required:
            shown.append((field.encode_name, kind))
        else:
            shown.append((field.encode_name, kind | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(view.document.__name__, shown, kw_only=True)
