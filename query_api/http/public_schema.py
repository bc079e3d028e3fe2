"""How a view's documents are shown: times and dates as text, everything else as it stands unless the view says more."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from query_api.http.times import rfc3339
from read_models.model.view import View

Fields = dict[str, Any]


class PublicSchema:
    """The public form of one view's documents: the types that OpenAPI describes, and `show`, which makes one.

    `document` is the type of one document, `page` of a page of a list, `rows` of the documents of a range.
    """

    def __init__(self, view: View) -> None:
        fields = msgspec.structs.fields(view.document)
        times = tuple(field.encode_name for field in fields if _is_time(view, field))
        name, module = view.document.__name__, view.document.__module__
        self.document = msgspec.defstruct(name, _shown_fields(view, fields, times), kw_only=True, module=module)
        items = ("items", list[self.document])  # type: ignore[name-defined]
        self.page = msgspec.defstruct(f"{name}Page", [items, ("next", str | UnsetType, UNSET)], module=module)
        self.rows = msgspec.defstruct(f"{name}Range", [items], module=module)
        self.show = _show(view, times)


def iso_date(number: int) -> str:
    """The integer yyyymmdd as an ISO date."""
    return f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}"


def _is_time(view: View, field: msgspec.structs.FieldInfo) -> bool:
    if view.public.times is not None:
        return field.encode_name in view.public.times
    return field.encode_name.endswith("_at") and field.type in (int, int | None)


def _shown_fields(view: View, fields: Iterable[msgspec.structs.FieldInfo], times: tuple[str, ...]) -> list[Any]:
    public, new_names = view.public, dict(view.public.renamed)
    shown: list[Any] = []
    for field in fields:
        stored = field.encode_name
        if stored in public.left_out:
            continue
        kind = datetime if stored in times else date if stored in public.dates else field.type
        name = new_names.get(stored, stored)
        shown.append((name, kind) if field.required else (name, kind | UnsetType, UNSET))
    return shown


def _show(view: View, times: tuple[str, ...]) -> Callable[[Fields], Fields]:
    """show(fields of a stored document) -> the document for a client; the argument is left as it was."""
    public = view.public
    if not (public.dates or public.left_out or public.renamed):

        def show_times(fields: Fields) -> Fields:
            shown = dict(fields)
            for name in times:
                if name in shown:
                    shown[name] = rfc3339(shown[name])
            return shown

        return show_times

    texts = {**dict.fromkeys(times, rfc3339), **dict.fromkeys(public.dates, iso_date)}
    new_names, left_out = dict(public.renamed), frozenset(public.left_out)

    def show(fields: Fields) -> Fields:
        shown = {}
        for name, value in fields.items():
            if name not in left_out:
                text = texts.get(name)
                shown[new_names.get(name, name)] = value if text is None else text(value)
        return shown

    return show
