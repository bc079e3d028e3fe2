"""How a view's documents are shown: times and dates as text, everything else as it stands unless the view says more."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from query_api.http.inner_times import Show, ShownField, described_field, fields_with_times_inside, is_time
from query_api.http.times import rfc3339
from read_models.model.view import View

Fields = dict[str, Any]


class PublicSchema:
    """The public form of one view's documents: the types that OpenAPI describes, and `show`, which makes one.

    `document` is the type of one document, `page` of a page of a list, `rows` of the documents of a range.
    """

    def __init__(self, view: View) -> None:
        fields = msgspec.structs.fields(view.document)
        special = _special_fields(view, fields)
        name, module = view.document.__name__, view.document.__module__
        self.document = msgspec.defstruct(name, _shown_fields(view, fields, special), kw_only=True, module=module)
        items = ("items", list[self.document])  # type: ignore[name-defined]
        self.page = msgspec.defstruct(f"{name}Page", [items, ("next", str | UnsetType, UNSET)], module=module)
        self.rows = msgspec.defstruct(f"{name}Range", [items], module=module)
        self.show = _show(view, {field: one.show for field, one in special.items()})


def iso_date(number: int) -> str:
    """The integer yyyymmdd as an ISO date."""
    return f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}"


def _special_fields(view: View, fields: Iterable[msgspec.structs.FieldInfo]) -> dict[str, ShownField]:
    """The fields that are not shown as they are stored."""
    times = view.public.times
    if times is None:
        times = tuple(field.encode_name for field in fields if is_time(field))
        inside = fields_with_times_inside(fields)
    else:
        inside = {}
    return {
        **dict.fromkeys(times, ShownField(datetime, rfc3339)),
        **dict.fromkeys(view.public.dates, ShownField(date, iso_date)),
        **inside,
    }


def _shown_fields(
    view: View, fields: Iterable[msgspec.structs.FieldInfo], special: Mapping[str, ShownField]
) -> list[Any]:
    public, new_names = view.public, dict(view.public.renamed)
    shown = []
    for field in fields:
        stored = field.encode_name
        if stored in public.left_out:
            continue
        kind = special[stored].kind if stored in special else field.type
        shown.append(described_field(field, new_names.get(stored, stored), kind))
    return shown


def _show(view: View, texts: Mapping[str, Show]) -> Callable[[Fields], Fields]:
    """show(fields of a stored document) -> the document for a client; the argument is left as it was. `texts` are the
    fields that are not shown as they are stored."""
    public = view.public
    if not (public.left_out or public.renamed):

        def show_texts(fields: Fields) -> Fields:
            shown = dict(fields)
            for name, text in texts.items():
                if name in shown:
                    shown[name] = text(shown[name])
            return shown

        return show_texts

    new_names, left_out = dict(public.renamed), frozenset(public.left_out)

    def show(fields: Fields) -> Fields:
        shown = {}
        for name, value in fields.items():
            if name not in left_out:
                text = texts.get(name)
                shown[new_names.get(name, name)] = value if text is None else text(value)
        return shown

    return show
