"""The bytes of an event's properties, read by the client's library: what the library itself would have written."""

from datetime import UTC, datetime
from struct import unpack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw
from msgspec.structs import replace

from infrastructure.integration.cloud_event import CloudEvent, amqp_headers, from_amqp

spec = pytest.importorskip("aiormq", reason="needs aio-pika: pip install 'eventfold[rabbitmq]'").spec

from infrastructure.outside.rabbitmq.properties import LONGEST_SHORT_STRING, EventProperties  # noqa: E402

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
ID = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
MAYBE = st.one_of(st.just(UNSET), TEXT)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001 - zones are given
EVENTS = st.builds(
    CloudEvent,
    id=ID,
    source=TEXT,
    type=st.sampled_from(["ordering.order-placed.v1", "ä.ö"]),
    subject=TEXT,
    time=TIMES,
    dataschema=TEXT,
    partitionkey=TEXT,
    sequence=TEXT,
    correlationid=MAYBE,
    causationid=MAYBE,
    traceparent=MAYBE,
    tracestate=MAYBE,
    data=st.just(Raw(b"{}")),
)


def read(written: bytes) -> dict[str, Any]:
    found = spec.Basic.Properties()
    found.unmarshal(unpack(">H", written[:2])[0], written[2:])
    return {name: getattr(found, name) for name in found.__slots__}


def by_the_library(event: CloudEvent) -> dict[str, Any]:
    headers = amqp_headers(event)
    if event.traceparent is not UNSET:
        headers["traceparent"] = event.traceparent
    properties = spec.Basic.Properties(
        headers=dict(headers),
        content_type=event.datacontenttype,
        delivery_mode=2,
        message_id=event.id,
        correlation_id=None if event.correlationid is UNSET else event.correlationid,
        timestamp=datetime.fromisoformat(event.time),
        message_type=event.type,
        app_id="eventfold",
    )
    return read(properties.marshal())


@given(event=EVENTS)
def test_they_are_what_the_library_would_write(event: CloudEvent) -> None:
    properties = EventProperties(event)
    assert properties.message_id == event.id
    written = read(properties.marshal())
    assert written == by_the_library(event)
    assert from_amqp(written["headers"], written["content_type"], b"{}") == event


@given(correlation=st.text("aä", min_size=LONGEST_SHORT_STRING - 130, max_size=2 * LONGEST_SHORT_STRING), event=EVENTS)
def test_a_correlation_id_that_has_no_room_is_in_the_headers_alone(correlation: str, event: CloudEvent) -> None:
    written = read(EventProperties(replace(event, correlationid=correlation)).marshal())
    fits = len(correlation.encode()) <= LONGEST_SHORT_STRING
    assert written["correlation_id"] == (correlation if fits else None)
    assert written["headers"]["cloudEvents_correlationid"] == correlation
