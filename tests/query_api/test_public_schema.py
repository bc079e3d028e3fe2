"""How documents are shown: times, dates, fields left out or under another name."""

import typing
from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from query_api.http.public_schema import PublicSchema
from read_models.model.public_fields import PublicFields
from tests.support.shelf import NOW, NOW_TEXT
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS

DAY = {"day": 20260314, "sent": 2, "delivered": 1, "grams": 700, "updated_at": NOW}


def shown(public: PublicFields) -> PublicSchema:
    return PublicSchema(replace(PARCEL_DAYS, public=public))


def types(schema: PublicSchema) -> dict[str, object]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(schema.document)}


def test_fields_named_at_are_times_unless_the_view_says_which() -> None:
    assert shown(PublicFields()).show(DAY) == DAY | {"updated_at": NOW_TEXT}
    assert shown(PublicFields(times=())).show(DAY) == DAY
    assert types(shown(PublicFields()))["updated_at"] is datetime
    assert types(shown(PublicFields(times=())))["updated_at"] is int


def test_dates_are_iso_dates() -> None:
    schema = shown(PublicFields(dates=("day",)))
    assert schema.show(DAY) == DAY | {"day": "2026-03-14", "updated_at": NOW_TEXT}
    assert types(schema)["day"] is date


def test_fields_are_left_out_and_renamed() -> None:
    schema = shown(PublicFields(dates=("day",), left_out=("grams", "delivered"), renamed=(("day", "date"),)))
    assert schema.show(DAY) == {"date": "2026-03-14", "sent": 2, "updated_at": NOW_TEXT}
    assert list(types(schema)) == ["date", "sent", "updated_at"]


def test_the_stored_document_is_left_as_it_was() -> None:
    for public in (PublicFields(), PublicFields(dates=("day",), left_out=("grams",))):
        before = dict(DAY)
        shown(public).show(before)
        assert before == DAY


class Step(msgspec.Struct, omit_defaults=True):
    name: str
    begun_at: int
    ended_at: int | None = None


class Journey(msgspec.Struct):
    journey_id: str
    steps: list[Step]
    last: Step
    marks: list[str]


def test_times_inside_a_document_are_shown_as_such_too() -> None:
    view = replace(PARCEL_DAYS, document=Journey, public=PublicFields())
    ended = {"name": "a", "begun_at": NOW, "ended_at": NOW}
    stored = {"journey_id": "j-1", "steps": [ended, {"name": "b", "begun_at": NOW}], "last": ended, "marks": ["x"]}
    begun, shown_ended = {"name": "b", "begun_at": NOW_TEXT}, {"name": "a", "begun_at": NOW_TEXT, "ended_at": NOW_TEXT}

    schema = PublicSchema(view)

    assert schema.show(stored) == {**stored, "steps": [shown_ended, begun], "last": shown_ended}
    assert stored["last"] == {"name": "a", "begun_at": NOW, "ended_at": NOW}
    (step,) = typing.get_args(types(schema)["steps"])
    fields = {field.encode_name: field for field in msgspec.structs.fields(step)}
    assert (fields["name"].type, fields["begun_at"].type) == (str, datetime)
    assert [name for name, field in fields.items() if not field.required] == ["ended_at"]
    assert PublicSchema(replace(view, public=PublicFields(times=()))).show(stored) == stored


def test_a_field_that_is_not_there_is_not_shown() -> None:
    lamp = {"lamp_id": "l-1", "installed_at": NOW}
    schema = PublicSchema(LAMP_DETAILS)
    assert schema.show(lamp) == {"lamp_id": "l-1", "installed_at": NOW_TEXT}
    fields = {field.encode_name: field for field in msgspec.structs.fields(schema.document)}
    assert fields["lamp_id"].required
    assert not fields["switched_on_at"].required
