"""Which changes of a schema break whom."""

from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, defstruct

from infrastructure.integration.compatibility import Reader, breaks
from infrastructure.integration.schemas import json_schema


class Line(Struct):
    sku: str


class LineWithNote(Struct):
    sku: str
    note: str


class LineWithoutSku(Struct):
    note: str = ""


# fields before, fields after, whether consumers and the log get along with it
CHANGES = {
    "nothing": ([("a", str)], [("a", str)], True, True),
    "a field removed": ([("a", str), ("b", int)], [("a", str)], False, False),
    "a field with a default removed": ([("a", str), ("b", int, 0)], [("a", str)], False, False),
    "a new required field": ([("a", str)], [("a", str), ("b", int)], True, False),
    "a new field with a default": ([("a", str)], [("a", str), ("b", int, 0)], True, True),
    "another type": ([("a", str)], [("a", int)], False, False),
    "another format": ([("a", datetime)], [("a", str)], False, False),
    "may be null now": ([("a", str)], [("a", str | None)], False, True),
    "may be null no more": ([("a", str | None)], [("a", str)], True, False),
    "gets a default": ([("a", str)], [("a", str, "")], False, True),
    "loses its default": ([("a", str, "")], [("a", str)], True, False),
    "a new value": ([("a", Literal["x"])], [("a", Literal["x", "y"])], False, True),
    "a value less": ([("a", Literal["x", "y"])], [("a", Literal["x"])], True, False),
    "another default": ([("a", int, 1)], [("a", int, 2)], True, True),
    "a list of something else": ([("a", list[int])], [("a", list[str])], False, False),
    "a list whose items have a new required field": ([("a", list[Line])], [("a", list[LineWithNote])], True, False),
    "a list whose items lose a field": ([("a", list[Line])], [("a", list[LineWithoutSku])], False, False),
    "an inner object's new required field": ([("a", Line)], [("a", LineWithNote)], True, False),
    "an inner object that may be null": ([("a", Line)], [("a", Line | None)], False, True),
    "a mapping of something else": ([("a", dict[str, int])], [("a", dict[str, str])], False, False),
}


@pytest.mark.parametrize(("before", "after", "consumers", "log"), CHANGES.values(), ids=CHANGES)
def test_a_change_breaks_whom_it_breaks(before: list[tuple], after: list[tuple], consumers: bool, log: bool):
    old, new = (json_schema(defstruct("Event", fields)) for fields in (before, after))
    assert (not list(breaks(old, new, "consumers"))) is consumers
    assert (not list(breaks(old, new, "log"))) is log


def test_the_message_names_the_field():
    old, new = (
        json_schema(defstruct("E", [("lines", list[Line])])),
        json_schema(defstruct("E", [("lines", list[LineWithNote])])),
    )
    assert list(breaks(old, new, "log")) == ["lines[].note: is new and required, and what was written before lacks it"]


TYPES = st.sampled_from([str, int, bool, datetime, str | None, list[int], list[Line], Line, Literal["x", "y"]])
NAMES = st.sampled_from("abcd")
FIELDS = st.dictionaries(NAMES, TYPES, min_size=1).map(lambda fields: list(fields.items()))


@given(FIELDS, st.sampled_from(["consumers", "log"]))
def test_no_schema_breaks_itself(fields: list[tuple], reader: Reader):
    schema = json_schema(defstruct("Event", fields))
    assert list(breaks(schema, schema, reader)) == []


@given(FIELDS, FIELDS)
def test_what_both_get_along_with_loses_no_field_and_changes_no_type(before: list[tuple], after: list[tuple]):
    old, new = (json_schema(defstruct("Event", fields)) for fields in (before, after))
    if not list(breaks(old, new, "consumers")) and not list(breaks(old, new, "log")):
        assert dict(before) == dict(after)
