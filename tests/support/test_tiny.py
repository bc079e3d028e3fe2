"""The tiny domain is sound itself: its rules, its older events, and its views."""

from datetime import timedelta

import pytest

from domain.model.errors import AlreadyExists, InvalidCommand, NoSuchAggregate
from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import StoredEvent
from infrastructure.read_store.subset import check_document_type, check_index
from read_models.model.query_checks import check_queries
from read_models.model.view import View, millis
from tests.support.decider import NOON, Given
from tests.support.tiny import LAMP, LAMP_DETAILS, PARCEL, PARCEL_DAYS, TINY, TINY_CODEC
from tests.support.tiny.lamp import (
    InstallLamp,
    LampInstalled,
    LampSwitchedOff,
    LampSwitchedOn,
    SwitchLampOff,
    SwitchLampOn,
)
from tests.support.tiny.lamp_details import LampDetails
from tests.support.tiny.parcel import DeliverParcel, ParcelDelivered, ParcelSent, SendParcel
from tests.support.tiny.parcel_days import ParcelDay

INSTALLED = LampInstalled("l-1", "hall", 40, NOON)
SENT = ParcelSent("p-1", "ada", 500, NOON)


def test_lamps() -> None:
    Given(LAMP, "l-1").when(InstallLamp("hall", 40)).then(INSTALLED)
    Given(LAMP, "l-1", INSTALLED).when(SwitchLampOn()).then(LampSwitchedOn("l-1", NOON))
    Given(LAMP, "l-1", INSTALLED, LampSwitchedOn("l-1", NOON)).when(SwitchLampOff()).then(LampSwitchedOff("l-1", NOON))
    Given(LAMP, "l-1", INSTALLED).when(SwitchLampOff()).then_violation("lamp-not-on")
    Given(LAMP, "l-1", INSTALLED).when(InstallLamp("hall", 40)).then_error(AlreadyExists)
    Given(LAMP, "l-1").when(SwitchLampOn()).then_error(NoSuchAggregate)
    Given(LAMP, "-").when(InstallLamp("-", 0)).then_faults("/lamp_id", "/room", "/watts")
    Given(LAMP, "-").when(SwitchLampOn()).then_error(InvalidCommand)


def test_parcels() -> None:
    Given(PARCEL, "p-1").when(SendParcel("ada", 500)).then(SENT)
    Given(PARCEL, "p-1", SENT).when(DeliverParcel()).then(ParcelDelivered("p-1", NOON, NOON))
    delivered = Given(PARCEL, "p-1", SENT, ParcelDelivered("p-1", NOON, NOON))
    delivered.when(DeliverParcel()).then_violation("parcel-not-on-its-way")
    Given(PARCEL, "p-1", SENT).when(SendParcel("ada", 500)).then_error(AlreadyExists)
    Given(PARCEL, "p-1").when(DeliverParcel()).then_error(NoSuchAggregate)
    Given(PARCEL, "-").when(SendParcel("-", 0)).then_faults("/parcel_id", "/recipient", "/grams")


def test_version_1_of_an_installation_is_lifted() -> None:
    data = b'{"lamp_id":"l-1","place":"attic","installed_at":"2026-03-14T12:00:00Z"}'
    stored = StoredEvent("0", "LampInstalled", "lamp-l-1", 0, 7, 0, data, b"")
    assert TINY_CODEC.decode(stored).event == LampInstalled("l-1", "attic", 60, NOON)
    written = TINY_CODEC.encode(INSTALLED, EventMetadata(), "0")
    assert (written.type, b'"schemaVersion":2' in written.metadata) == ("LampInstalled", True)


def test_a_lamps_document() -> None:
    document = None
    for revision, event in enumerate((INSTALLED, LampSwitchedOn("l-1", NOON), LampSwitchedOff("l-1", NOON))):
        document = LAMP_DETAILS.fold(document, RecordedEvent(event, "lamp-l-1", revision, 100 + revision, 0))
    at = millis(NOON)
    assert document == LampDetails("l-1", "hall", 40, "off", at, at, 2, 100)


def test_a_days_document() -> None:
    document, next_day = None, NOON + timedelta(days=1)
    for event in (SENT, ParcelSent("p-2", "bob", 200, NOON), ParcelDelivered("p-1", NOON, next_day)):
        assert PARCEL_DAYS.keys(event) == ("2026-03-14",)
        document = PARCEL_DAYS.fold(document, RecordedEvent(event, "parcel-p-1", 0, 7, 0))
    assert document == ParcelDay(20260314, 2, 1, 700, millis(next_day))


@pytest.mark.parametrize("view", TINY.views, ids=lambda view: view.name)
def test_its_views_are_safe_and_their_queries_work(view: View) -> None:
    check_document_type(view.document)
    for index in view.indexes:
        check_index(index, view.document)
    check_queries(view)
    assert view in {view}, "engines keep what they know by view"
