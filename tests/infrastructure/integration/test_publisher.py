"""What is published of an event of the log: what it says, and that it is the same whenever it is made."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Struct

from application import APPLICATION
from domain.model.personal import personal_fields
from domain.model.publication import IntegrationEvent, Publication
from domain.model.recorded_event import RecordedEvent
from domain.ordering.events import OrderCancelled, OrderConfirmed
from infrastructure.application import Application
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import StoredEvent
from infrastructure.integration.publisher import Publisher
from tests.support.tiny import TINY
from tests.support.tiny.lamp import LampInstalled

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EXAMPLES = [(publication, example) for publication in APPLICATION.publications for example in publication.examples]
PUBLISHER = Publisher(APPLICATION.publications)


def stored(event: Struct, *, revision: int = 0, metadata: bytes = b"") -> tuple[StoredEvent, RecordedEvent[Any]]:
    recorded = RecordedEvent(event, "order-1042", revision, 17, 1_772_443_800_123)
    event_id = f"00000000-0000-4000-8000-{revision:012}"
    plain = StoredEvent(event_id, "X", "order-1042", revision, 17, 1_772_443_800_123, b"{}", metadata)
    return plain, recorded


def test_the_envelope_says_where_the_event_comes_from():
    metadata = msgspec.json.encode(
        EventMetadata(correlation_id="c-1", causation_id="k-1", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    )
    [event] = PUBLISHER.publish(*stored(OrderConfirmed("1042", "ada", AT), metadata=metadata))
    assert event.source == "urn:eventfold:ordering"
    assert event.type == "ordering.order-confirmed.v1"
    assert event.dataschema == "urn:eventfold:schema:ordering.order-confirmed.v1"
    assert (event.subject, event.partitionkey) == ("1042", "1042")
    assert event.time == "2026-03-02T09:30:00.123Z"
    assert event.sequence == "00000000000000000017"
    assert (event.correlationid, event.causationid) == ("c-1", "k-1")
    assert str(event.traceparent).startswith("00-1111")
    assert json.loads(bytes(event.data)) == {
        "order_id": "1042",
        "customer_id": "ada",
        "confirmed_at": "2026-03-02T09:30:00Z",
    }


def test_without_metadata_there_are_no_such_attributes():
    [event] = PUBLISHER.publish(*stored(OrderConfirmed("1042", "ada", AT)))
    assert event.correlationid is UNSET
    assert event.traceparent is UNSET


def test_the_id_follows_from_the_event_alone():
    first, again, other = (
        PUBLISHER.publish(*stored(OrderConfirmed("1042", "ada", AT), revision=revision))[0] for revision in (0, 0, 1)
    )
    assert first == again
    assert first.id != other.id


@pytest.mark.parametrize(("publication", "example"), EXAMPLES, ids=[type(one).__name__ for _, one in EXAMPLES])
def test_nothing_personal_goes_out(publication: Publication, example: Struct):
    told = {str(getattr(example, name)) for name in personal_fields(type(example))} - {"None"}
    published = [bytes(event.data).decode() for event in PUBLISHER.publish(*stored(example))]
    assert published
    assert not [value for value in told if any(value in text for text in published)]


def test_the_reason_of_a_cancellation_stays_with_us():
    event = OrderCancelled("1042", "ada", "EUR", 850, AT, "my neighbour Grace took it in", AT)
    [published] = PUBLISHER.publish(*stored(event))
    assert b"Grace" not in bytes(published.data)


def test_of_other_events_nothing_is_published():
    assert PUBLISHER.publish(*stored(LampInstalled("l", "hall", 5, AT))) == []


def test_every_example_is_an_event_that_the_log_can_have():
    codec = EventCodec(APPLICATION.aggregates)
    for _, example in EXAMPLES:
        assert codec._types.encode(example)


class LampHung(Struct, frozen=True):
    lamp_id: str


def lamps(**changes: Any) -> Publication:
    given: dict[str, Any] = {
        "context": "lamps",
        "events": (IntegrationEvent("lamp-hung", 1, LampHung),),
        "mapping": {LampInstalled: (lambda event: LampHung(event.lamp_id),)},
        "subject": lambda event: event.lamp_id,
        "examples": (LampInstalled("l-1", "hall", 5, AT),),
    }
    return Publication(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"events": (IntegrationEvent("LampHung", 1, LampHung),)}, "is no name"),
        ({"events": (IntegrationEvent("lamp-hung", 0, LampHung),)}, "version 0"),
        ({"events": (IntegrationEvent("a", 1, LampHung), IntegrationEvent("b", 1, LampHung))}, "two integration"),
        ({"examples": ()}, "no example of LampInstalled"),
        ({"events": ()}, "LampHung is none of"),
        ({"mapping": {}, "examples": ()}, "lamp-hung is made from nothing"),
    ],
)
def test_a_publication_whose_parts_do_not_fit_is_refused(changes: dict[str, Any], what: str):
    with pytest.raises(ValueError, match=what):
        lamps(**changes)


def test_an_application_publishes_what_its_aggregates_write():
    assert Application(TINY.aggregates, publications=(lamps(),)).publications
    with pytest.raises(ValueError, match="no aggregate has the event LampInstalled"):
        Application((), publications=(lamps(),))
    with pytest.raises(ValueError, match="two publications are of the context lamps"):
        Application(TINY.aggregates, publications=(lamps(), lamps()))


def test_two_versions_go_out_side_by_side():
    class LampHung2(Struct, frozen=True):
        lamp_id: str
        room: str

    both = lamps(
        events=(IntegrationEvent("lamp-hung", 1, LampHung), IntegrationEvent("lamp-hung", 2, LampHung2)),
        mapping={
            LampInstalled: (lambda event: LampHung(event.lamp_id), lambda event: LampHung2(event.lamp_id, event.room))
        },
    )
    first, second = Publisher([both]).publish(*stored(LampInstalled("l-1", "hall", 5, AT)))
    assert (first.type, second.type) == ("lamps.lamp-hung.v1", "lamps.lamp-hung.v2")
    assert first.id != second.id
