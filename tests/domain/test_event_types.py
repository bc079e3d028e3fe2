"""The registry: events survive the way into bytes and back, older versions are lifted, nonsense is named."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given

from domain.model.event_types import EventType, EventTypes, UndecodableEvent, UnknownEventType
from domain.ordering.aggregate import ORDER
from domain.ordering.events import Line, OrderCreated
from tests.support.bundled import EVENT_TYPES
from tests.support.decider import Given
from tests.support.orders import CREATED_V1, HISTORIES, place_orders


@pytest.mark.parametrize("history", HISTORIES.values(), ids=list(HISTORIES))
def test_every_event_survives_encoding(history):
    for event in history:
        assert EVENT_TYPES.decode(*EVENT_TYPES.encode(event)) == event


@given(place_orders)
def test_any_order_survives_encoding(command):
    (created,) = ORDER.decide(command, None, Given(ORDER, "o-1").context)
    assert EVENT_TYPES.decode(*EVENT_TYPES.encode(created)) == created


def test_version_1_of_order_created_is_lifted():
    half_past_nine = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)
    assert EVENT_TYPES.decode("OrderCreated", 1, CREATED_V1) == OrderCreated(
        order_id="o-1",
        customer_id="customer-1",
        currency="USD",
        lines=[Line("apple", 3, 50, 0, 150), Line("bread", 1, 299, 0, 299)],
        item_count=4,
        total=449,
        ordered_at=half_past_nine,
        created_at=half_past_nine,
    )


@pytest.mark.parametrize(
    ("name", "version", "data", "error", "says"),
    [
        ("OrderVanished", 1, b"{}", UnknownEventType, "OrderVanished"),
        ("OrderCreated", 3, b"{}", UnknownEventType, "3"),
        ("OrderCreated", 0, b"{}", UndecodableEvent, "schema version 0"),
        ("OrderCreated", 2, b"{", UndecodableEvent, "OrderCreated version 2"),
        ("OrderCreated", 2, b"\xff\xfe", UndecodableEvent, "OrderCreated version 2"),
        ("OrderCreated", 1, b"[]", UndecodableEvent, "OrderCreated version 1"),
        ("OrderCreated", 1, b'{"lines":[{}]}', UndecodableEvent, "sku"),
        ("OrderCreated", 1, b'{"lines":3}', UndecodableEvent, "OrderCreated version 1"),
        ("OrderConfirmed", 1, b'{"order_id":7}', UndecodableEvent, "order_id"),
    ],
)
def test_what_cannot_be_read_is_named(name, version, data, error, says):
    with pytest.raises(error, match=says):
        EVENT_TYPES.decode(name, version, data)


class Thing(msgspec.Struct):
    name: str


@pytest.mark.parametrize(
    "event_types",
    [
        [EventType("Thing", 1, Thing), EventType("Thing", 1, Thing)],
        [EventType("Thing", 2, Thing)],
        [EventType("Thing", 1, Thing, {1: lambda fields: fields})],
    ],
    ids=["two of one name", "no upcaster", "an upcaster too many"],
)
def test_a_contradictory_registry_is_refused(event_types):
    with pytest.raises(ValueError, match="Thing"):
        EventTypes(event_types)
