"""Declarations that can't work are refused when the routes are made, naming view and query."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.aggregate import Aggregate
from infrastructure.application import Application
from read_models.model.parameter import Date, Identifier, Kind, Parameter, Text, Time, WholeNumber
from read_models.model.public_fields import PublicFields
from read_models.model.query import CustomQuery, KeyQuery, ListQuery, Query, RangeQuery
from read_models.model.reads import Reads
from read_models.model.view import View
from tests.query_api.in_memory import by_operation, routes_in_memory
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY

LAMP_ID = Parameter("lamp_id", Identifier())
ROOM = Parameter("room", Identifier())
KEY: dict[str, Any] = {"path": "/things/{lamp_id}", "operation": "Q", "summary": "", "key": LAMP_ID, "noun": "lamp"}
LIST: dict[str, Any] = {"path": "/things", "operation": "Q", "summary": "", "sort": "installed_position"}
RANGE: dict[str, Any] = {
    "path": "/things",
    "operation": "Q",
    "summary": "",
    "field": "day",
    "first": Parameter("from", Date()),
    "last": Parameter("to", Date()),
    "greatest_span": 31,
    "greatest_rows": 31,
}


class Answer(Struct):
    """What a custom query answers here."""

    lamps: int


async def respond(_reads: Reads, _parameters: Mapping[str, Any]) -> Answer:
    return Answer(0)


CUSTOM: dict[str, Any] = {
    "path": "/things",
    "operation": "Q",
    "summary": "",
    "respond": respond,
    "answer": Answer,
}


def application(view: View, *queries: Query) -> Application:
    return Application(aggregates=TINY.aggregates, views=(replace(view, queries=queries),))


def owned(by: str) -> Access:
    return Access("lamps:read", owner=by)


def a_list(**changes: Any) -> ListQuery:
    return ListQuery(**{**LIST, **changes})


def a_range(**changes: Any) -> RangeQuery:
    return RangeQuery(**{**RANGE, **changes})


def filtered(name: str, kind: Kind, field: str = "") -> ListQuery:
    return a_list(filters=(Parameter(name, kind, field=field),))


@pytest.mark.parametrize(
    ("view", "query", "said"),
    [
        (LAMP_DETAILS, filtered("colour", Identifier()), "filters colour, which is no field of LampDetails"),
        (LAMP_DETAILS, filtered("c", Identifier(), "colour"), "c filters colour"),
        (LAMP_DETAILS, filtered("watts", WholeNumber()), "no index on watts, installed_position"),
        (LAMP_DETAILS, filtered("room", WholeNumber()), "room is compared with int, but room is not"),
        (LAMP_DETAILS, filtered("watts", Text(9)), "watts is compared with str, but watts is not"),
        (LAMP_DETAILS, filtered("switched_on_at", Time()), "switched_on_at is not"),
        (LAMP_DETAILS, filtered("n", WholeNumber(), "installed_position"), "which documents are ordered by"),
        (
            LAMP_DETAILS,
            a_list(filters=(ROOM, Parameter("r", Identifier(), field="room"))),
            "two parameters filter room",
        ),
        (LAMP_DETAILS, a_list(sort="colour"), "sorted by colour, which is no field"),
        (LAMP_DETAILS, a_list(sort="room"), "sorted by room, which is no int"),
        (LAMP_DETAILS, a_list(sort="switched_on_at"), "which is no int that every document has"),
        (LAMP_DETAILS, a_list(sort="version"), "no index on version"),
        (LAMP_DETAILS, a_list(limit=0), "1 <= limit"),
        (LAMP_DETAILS, a_list(limit=20, greatest_limit=10), "limit <= greatest_limit"),
        (LAMP_DETAILS, a_list(greatest_limit=1001), "greatest_limit <= 1000"),
        (LAMP_DETAILS, a_list(path="/things/{room}"), "path parameter room is not declared"),
        (LAMP_DETAILS, a_list(path="/{room}/{room}", filters=(ROOM,)), "holds a parameter twice"),
        (LAMP_DETAILS, a_list(path="things"), "'things' is no path"),
        (LAMP_DETAILS, a_list(path="/things/"), "is no path"),
        (LAMP_DETAILS, a_list(path="/things?x=1"), "is no path"),
        (LAMP_DETAILS, a_list(filters=(ROOM, ROOM)), "parameter room is declared twice"),
        (LAMP_DETAILS, filtered("limit", WholeNumber(), "watts"), "parameter limit has a meaning of its own"),
        (LAMP_DETAILS, filtered("at_least", WholeNumber(), "watts"), "parameter at_least has a meaning of its own"),
        (LAMP_DETAILS, KeyQuery(**{**KEY, "path": "/things"}), "must hold the key lamp_id and nothing else"),
        (LAMP_DETAILS, KeyQuery(**{**KEY, "path": "/things/{lamp_id}/{room}"}), "room is not declared"),
        (LAMP_DETAILS, KeyQuery(**{**KEY, "key": Parameter("lamp_id", WholeNumber())}), "several spellings"),
        (LAMP_DETAILS, KeyQuery(**KEY, version_field="revision"), "the version is revision, which is no field"),
        (LAMP_DETAILS, KeyQuery(**KEY, version_field="room"), "the version is room, which is no int"),
        (
            PARCEL_DAYS,
            KeyQuery(**KEY, aggregate="parcel"),
            "as_of parcel needs a view that is per_stream",
        ),
        (
            LAMP_DETAILS,
            KeyQuery(**KEY, aggregate="torch"),
            "the application has no aggregate torch",
        ),
        (PARCEL_DAYS, a_range(field="date"), "the range is of date, which is no field"),
        (PARCEL_DAYS, a_range(field="sent"), "no index on sent"),
        (PARCEL_DAYS, a_range(last=Parameter("to", WholeNumber())), "a range is of dates, times or numbers"),
        (PARCEL_DAYS, a_range(first=Parameter("from", Text(9)), last=Parameter("to", Text(9))), "a range is of"),
        (PARCEL_DAYS, a_range(greatest_span=0), "greatest_span is at least 1"),
        (PARCEL_DAYS, a_range(greatest_rows=1001), "greatest_rows is 1 to 1000"),
        (PARCEL_DAYS, a_range(path="/things/{from}"), "the ends of a range don't stand in the path"),
        (PARCEL_DAYS, a_range(last=Parameter("from", Date())), "parameter from is declared twice"),
        (PARCEL_DAYS, a_range(filters=(Parameter("sent", WholeNumber()),)), "no index on sent, day"),
        (LAMP_DETAILS, CustomQuery(**{**CUSTOM, "path": "/things/{room}"}), "path parameter room is not declared"),
        (LAMP_DETAILS, CustomQuery(**CUSTOM, parameters=(Parameter("as_of", Time()),)), "as_of has a meaning"),
        (LAMP_DETAILS, KeyQuery(**KEY, access=owned("keeper")), "the owner is keeper, which is no text that every"),
        (LAMP_DETAILS, KeyQuery(**KEY, access=owned("watts")), "the owner is watts, which is no text that every"),
        (LAMP_DETAILS, a_list(access=owned("lamp_id")), "no index on lamp_id, installed_position"),
        (PARCEL_DAYS, a_range(access=owned("day")), "the owner is day, which is no text"),
        (LAMP_DETAILS, CustomQuery(**CUSTOM, access=owned("room")), "the owner is room, which is no identifier among"),
    ],
)
def test_it_is_refused_by_name(view: View, query: Query, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        routes_in_memory(application(view, query))
    assert str(refused.value).startswith(f"view {view.name}, query Q: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (a_list(operation="R"), "the path /things is that of view lamp_details, query Q already"),
        (a_list(path="/others"), "the operation Q is that of view lamp_details, query Q already"),
        (
            KeyQuery(**{**KEY, "path": "/lamps/{lamp_id}/history", "operation": "R"}),
            "the history of lamp: the path /lamps/{}/history is that of view lamp_details, query R already",
        ),
        (
            a_list(path="/parcels/{room}", operation="R", filters=(ROOM,)),
            "the state of parcel: the path /parcels/{} is that of view lamp_details, query R already",
        ),
    ],
)
def test_two_routes_on_one_path_or_of_one_name(second: Query, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        routes_in_memory(application(LAMP_DETAILS, a_list(), second))
    assert said in str(refused.value)


def test_two_paths_that_differ_in_a_parameters_name_are_one() -> None:
    first = KeyQuery(**KEY)
    second = a_list(path="/things/{room}", operation="R", filters=(ROOM,))
    with pytest.raises(ValueError, match=r"query R: the path /things/\{\} is that of view lamp_details, query Q"):
        routes_in_memory(application(LAMP_DETAILS, first, second))


@pytest.mark.parametrize(
    ("public", "said"),
    [
        (PublicFields(left_out=("colour",)), "colour is no field of LampDetails"),
        (PublicFields(renamed=(("colour", "color"),)), "colour is no field"),
        (PublicFields(times=("room",)), "room is shown as a time or a date, but is no int"),
        (PublicFields(dates=("room",)), "room is shown as a time or a date"),
        (PublicFields(renamed=(("room", "watts"),)), "two fields are shown under one name"),
    ],
)
def test_public_fields_that_cannot_be_are_refused(public: PublicFields, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        routes_in_memory(Application(TINY.aggregates, (replace(LAMP_DETAILS, public=public),)))
    assert str(refused.value).startswith("view lamp_details: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("indexes", "serves"),
    [
        ((("room", "installed_position"),), False),  # none for the list as a whole
        ((("installed_position",),), False),  # none for the filter
        ((("installed_position",), ("room", "installed_position")), True),
        ((("installed_position",), ("room", "status", "installed_position")), False),  # status need not be given
        ((("installed_position", "room"), ("room", "installed_position", "status")), True),
    ],
)
def test_which_indexes_serve_a_filter_that_may_be_given(indexes: tuple[tuple[str, ...], ...], serves: bool) -> None:
    _is_served(replace(LAMP_DETAILS, indexes=indexes), a_list(filters=(ROOM,)), serves)


@pytest.mark.parametrize(
    ("indexes", "serves"),
    [
        ((("room", "installed_position"),), True),
        ((("installed_position",),), False),
    ],
)
def test_which_indexes_serve_a_filter_that_is_always_given(indexes: tuple[tuple[str, ...], ...], serves: bool) -> None:
    view = replace(LAMP_DETAILS, indexes=indexes)
    _is_served(view, a_list(path="/things/{room}", filters=(ROOM,)), serves)
    _is_served(view, a_list(filters=(replace(ROOM, required=True),)), serves)


def _is_served(view: View, query: ListQuery, serves: bool) -> None:
    if serves:
        assert "Q" in by_operation(routes_in_memory(application(view, query)))
    else:
        with pytest.raises(ValueError, match="no index on"):
            routes_in_memory(application(view, query))


def test_an_aggregate_may_be_on_any_path_that_is_free() -> None:
    """One without `as_of` on its own path gets its state there; one that a query names does not."""
    aggregates: tuple[Aggregate, ...] = TINY.aggregates
    routes = by_operation(routes_in_memory(Application(aggregates)))
    assert {"GetLampAsOf", "GetParcelAsOf"} <= set(routes)
    elsewhere = by_operation(routes_in_memory(application(LAMP_DETAILS, KeyQuery(**KEY, aggregate="lamp"))))
    assert "GetLampAsOf" not in elsewhere
    assert [one.name for one in elsewhere["Q"].parameters] == ["at_least", "as_of"]
