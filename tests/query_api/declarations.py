"""Hypothesis strategies: any query over a view with a field of each kind, and what may be sent to it."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from msgspec import Struct

from infrastructure.application import Application
from query_api.http.times import rfc3339
from read_models.model.parameter import Date, Identifier, Kind, OneOf, Parameter, Text, Time, WholeNumber
from read_models.model.query import KeyQuery, ListQuery, Query, RangeQuery
from read_models.model.view import View
from tests.support.tiny import TINY

WORDS = ("red", "green", "blue")
FIELDS: dict[str, Kind] = {
    "owner": Identifier(),
    "colour": OneOf(WORDS),
    "note": Text(12),
    "size": WholeNumber(3, 9),
    "day": Date(),
    "moment": Time(),
}
ORDERED = ("size", "day", "moment")


class Thing(Struct, frozen=True):
    """One field of each kind, and the position that lists are sorted by."""

    owner: str
    colour: str
    note: str
    size: int
    day: int
    moment: int
    placed: int


def application(query: Query) -> Application:
    """One view with the query, and the indexes that it needs."""
    by = query.sort if isinstance(query, ListQuery) else query.field if isinstance(query, RangeQuery) else "placed"
    filters = () if isinstance(query, KeyQuery) else query.filters
    indexes = ((by,), *((one.filtered_field, by) for one in filters))
    view = View("things", 1, Thing, frozenset(), keys=_never, fold=_never, indexes=indexes, queries=(query,))
    return Application(TINY.aggregates, (view,))


def _never(*_arguments: Any) -> Any:
    raise AssertionError("nothing is folded here")


# Few values, so that filters find something.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "owner": st.sampled_from(["a", "B.9", "x:y-z", "0" * 64]),
    "colour": st.sampled_from(WORDS),
    "note": st.sampled_from(["a b", "ä&=%#?", "+", "日本"]),
    "size": st.integers(3, 9),
    "day": st.sampled_from([date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]),
    "moment": st.integers(0, 3).map(lambda number: 1_773_489_600_000 + number),
}
things = st.fixed_dictionaries(VALUES)


def stored(field: str, value: Any) -> Any:
    """The value as the document holds it."""
    return value.year * 10_000 + value.month * 100 + value.day if field == "day" else value


def sent(field: str, value: Any) -> str:
    """The value as a client writes it, ready to stand in a URL."""
    text = value.isoformat() if field == "day" else rfc3339(value) if field == "moment" else str(value)
    return quote(text, safe="")


@st.composite
def parameters(draw: st.DrawFn, fields: Iterable[str]) -> tuple[tuple[Parameter, ...], str]:
    """Some of the fields as filters, in the path or not; and the path that they stand in."""
    path, declared = "/things", []
    for field in fields:
        name = draw(st.sampled_from([field, f"only_{field}"]))
        required = draw(st.booleans())
        declared.append(Parameter(name, FIELDS[field], field="" if name == field else field, required=required))
        # An identifier, a word, ...: text with a slash can't stand in a path.
        if draw(st.booleans()):
            path += f"/{{{name}}}"
    return tuple(declared), path


some_fields = st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=3)


@st.composite
def list_queries(draw: st.DrawFn) -> ListQuery:
    filters, path = draw(parameters(draw(some_fields)))
    limit = draw(st.integers(1, 5))
    return ListQuery(
        path=path,
        operation="Q",
        summary="",
        sort="placed",
        filters=filters,
        direction=draw(st.sampled_from(["ascending", "descending"])),
        limit=limit,
        greatest_limit=draw(st.integers(limit, 9)),
    )


@st.composite
def range_queries(draw: st.DrawFn) -> RangeQuery:
    field = draw(st.sampled_from(ORDERED))
    filters, path = draw(parameters([one for one in draw(some_fields) if one != field]))
    return RangeQuery(
        path=path,
        operation="Q",
        summary="",
        field=field,
        first=Parameter("from", FIELDS[field]),
        last=Parameter("to", FIELDS[field]),
        filters=filters,
        greatest_span=draw(st.integers(1, 4)),
        greatest_rows=draw(st.integers(1, 6)),
    )


@st.composite
def key_queries(draw: st.DrawFn) -> KeyQuery:
    field = draw(st.sampled_from(["owner", "colour", "note", "day"]))
    return KeyQuery(
        path=f"/things/{{{field}}}", operation="Q", summary="", key=Parameter(field, FIELDS[field]), noun="thing"
    )


queries = st.one_of(list_queries(), range_queries(), key_queries())

any_text = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=70),
    st.integers().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.dates().map(str),
    st.timedeltas().map(timedelta.__str__),
).map(lambda text: quote(text, safe=""))
