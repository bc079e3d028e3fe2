"""The envelope: what each mapping writes, that each is read back the same, and what is refused."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from infrastructure.integration.cloud_event import (
    CloudEvent,
    InvalidCloudEvent,
    amqp_headers,
    from_amqp,
    from_http,
    from_kafka,
    from_structured,
    http_headers,
    kafka_headers,
    structured,
)

EVENT = CloudEvent(
    id="7d1c1f0e-0000-5000-8000-000000000000",
    source="urn:eventfold:ordering",
    type="ordering.order-placed.v1",
    subject="größe 1%",
    time="2026-03-02T09:30:00.000Z",
    dataschema="urn:eventfold:schema:ordering.order-placed.v1",
    partitionkey="größe 1%",
    sequence="00000000000000000017",
    correlationid="c-1",
    data=Raw(b'{"order_id":"1"}'),
)

text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def events(draw: st.DrawFn) -> CloudEvent:
    optional = {
        name: draw(text | st.just(UNSET)) for name in ("correlationid", "causationid", "traceparent", "tracestate")
    }
    required = {
        name: draw(text)
        for name in ("id", "source", "type", "subject", "time", "dataschema", "partitionkey", "sequence")
    }
    return CloudEvent(**required, **optional, data=Raw(msgspec.json.encode(draw(json_data))))


def parts(event: CloudEvent) -> tuple[dict[str, str], object]:
    return dict(event.attributes()), json.loads(bytes(event.data))


def test_one_document_has_every_attribute_and_the_data_as_json():
    assert json.loads(structured(EVENT)) == {
        "specversion": "1.0",
        "id": "7d1c1f0e-0000-5000-8000-000000000000",
        "source": "urn:eventfold:ordering",
        "type": "ordering.order-placed.v1",
        "subject": "größe 1%",
        "time": "2026-03-02T09:30:00.000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:eventfold:schema:ordering.order-placed.v1",
        "partitionkey": "größe 1%",
        "sequence": "00000000000000000017",
        "correlationid": "c-1",
        "data": {"order_id": "1"},
    }


def test_in_http_headers_what_is_no_plain_ascii_is_percent_encoded():
    headers = http_headers(EVENT)
    assert headers["ce-subject"] == "gr%C3%B6%C3%9Fe%201%25"
    assert headers["ce-source"] == "urn:eventfold:ordering"
    assert headers["content-type"] == "application/json"
    assert "ce-traceparent" not in headers
    assert not {"ce-data", "ce-datacontenttype"} & headers.keys()


def test_in_kafka_headers_values_are_utf_8():
    assert dict(kafka_headers(EVENT))["ce_subject"] == "größe 1%".encode()


@given(events())
def test_each_mapping_gives_the_same_event_back(event: CloudEvent):
    data = bytes(event.data)
    assert parts(from_structured(structured(event))) == parts(event)
    headers = http_headers(event)
    assert all(value.isascii() and value.isprintable() and " " not in value for value in headers.values())
    assert parts(from_http(headers, data)) == parts(event)
    assert parts(from_kafka(dict(kafka_headers(event)), data)) == parts(event)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"ce-specversion": "0.3"}, "specversion"),
        ({"ce-id": None}, "id"),
        ({"content-type": "text/plain"}, "text/plain"),
        ({"content-type": None}, "not application/json"),
        ({"ce-subject": "%FF"}, "UTF-8"),
    ],
)
def test_what_is_no_such_event_is_refused(change: dict[str, str | None], what: str):
    headers = {name: value for name, value in {**http_headers(EVENT), **change}.items() if value is not None}
    with pytest.raises(InvalidCloudEvent, match=what):
        from_http(headers, b"{}")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_data_that_is_no_json_is_refused(body: bytes):
    with pytest.raises(InvalidCloudEvent):
        from_http(http_headers(EVENT), body)
    with pytest.raises(InvalidCloudEvent):
        from_structured(body)


@given(events())
def test_amqp_is_read_back_the_same_by_either_prefix(event: CloudEvent):
    headers = amqp_headers(event)
    assert parts(from_amqp(headers, event.datacontenttype, bytes(event.data))) == parts(event)
    other = {name.replace("cloudEvents_", "cloudEvents:", 1): value for name, value in headers.items()}
    mixed = {"traceparent": "00-1", "x-delivery-count": 3, **other}
    assert parts(from_amqp(mixed, event.datacontenttype, bytes(event.data))) == parts(event)


def test_an_amqp_header_that_is_no_text_is_refused():
    with pytest.raises(InvalidCloudEvent, match="cloudEvents_id is no text"):
        from_amqp({**amqp_headers(EVENT), "cloudEvents_id": 7}, "application/json", b"{}")
