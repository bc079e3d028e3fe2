"""How a view's documents are shown: times as text, everything else as it stands."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from query_api.times import rfc3339
from read_models.model.view import View


class Shape:
    """The public form of one view's documents. Fields named `*_at` are epoch milliseconds in the store."""

    def __init__(self, view: View) -> None:
        fields = msgspec.structs.fields(view.document)
        self._times = tuple(field.encode_name for field in fields if field.encode_name.endswith("_at"))
        self.struct = _public_struct(view, fields)

    def show(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The document for a client."""
        shown = dict(fields)
        for name in self._times:
            if name in shown:
                shown[name] = rfc3339(shown[name])
        return shown


def _public_struct(view: View, fields: Iterable[msgspec.structs.FieldInfo]) -> type[Struct]:
    """The type that OpenAPI describes."""
    shown: list[Any] = []
    for field in fields:
        kind = datetime if field.encode_name.endswith("_at") else field.type
        if field.required:
            shown.append((field.encode_name, kind))
        else:
            shown.append((field.encode_name, kind | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(view.document.__name__, shown, kw_only=True)
