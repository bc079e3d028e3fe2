"""The envelope of what is published: CloudEvents 1.0, as one JSON document, or as headers beside the data."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

STRUCTURED = "application/cloudevents+json"
"""The content type of an envelope as one JSON document."""
JSON = "application/json"

HTTP_PREFIX = "ce-"
KAFKA_PREFIX = "ce_"
AMQP_PREFIX = "cloudEvents_"
_AMQP_PREFIXES = (AMQP_PREFIX, "cloudEvents:")

# Everything else that is printable ASCII stands as it is in a header; a quote and a percent sign do not.
_IN_HEADERS = "".join(chr(one) for one in range(0x21, 0x7F) if chr(one) not in '"%')


class InvalidCloudEvent(Exception):
    """What came is no CloudEvent 1.0 with JSON data; the message says why."""


class CloudEvent(Struct, frozen=True, kw_only=True, gc=False):
    """`id` is the same whenever the same event is published again: by it and `source`, who receives it knows a
    repetition. `subject` is the id of the aggregate, as is `partitionkey`; `sequence` rises with the event's place in
    the log. The data is JSON."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str = JSON
    dataschema: str
    partitionkey: str
    sequence: str
    correlationid: str | UnsetType = UNSET
    causationid: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET
    data: Raw

    def attributes(self) -> Iterator[tuple[str, str]]:
        """All attributes that are there, but for the data and its content type, which each mapping says in its own
        way."""
        for name in ATTRIBUTES:
            value = getattr(self, name)
            if value is not UNSET:
                yield name, value


ATTRIBUTES = tuple(name for name in CloudEvent.__struct_fields__ if name not in ("data", "datacontenttype"))
"""The names of `CloudEvent.attributes`; some may be UNSET."""

_IN_KAFKA = tuple((f"{KAFKA_PREFIX}{name}", name) for name in ATTRIBUTES)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CloudEvent).decode


def structured(event: CloudEvent) -> bytes:
    """The whole as one JSON document, to be sent as STRUCTURED."""
    return _encode(event)


def from_structured(content: bytes) -> CloudEvent:
    """The event of a JSON document. Raises InvalidCloudEvent."""
    try:
        event = _decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidCloudEvent(str(error)) from error
    return _checked(event)


def http_headers(event: CloudEvent) -> dict[str, str]:
    """The headers of the binary mapping over HTTP; the body is the data. What can't stand in a header is
    percent-encoded, as the mapping says."""
    headers = {f"{HTTP_PREFIX}{name}": quote(value, safe=_IN_HEADERS) for name, value in event.attributes()}
    return {**headers, "content-type": event.datacontenttype}


def from_http(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """The event of the binary mapping over HTTP, whose header names are in small letters. Raises InvalidCloudEvent."""
    try:
        attributes = {
            name.removeprefix(HTTP_PREFIX): unquote(value, errors="strict")
            for name, value in headers.items()
            if name.startswith(HTTP_PREFIX)
        }
    except UnicodeDecodeError as error:
        raise InvalidCloudEvent(f"a header is no UTF-8: {error}") from error
    return _from_attributes(attributes, headers.get("content-type", ""), body)


def kafka_headers(event: CloudEvent) -> list[tuple[str, bytes]]:
    """The headers of the binary mapping over Kafka, whose values are plain UTF-8; the record's value is the data."""
    attributes = [(header, getattr(event, name)) for header, name in _IN_KAFKA]
    headers = [(header, value.encode()) for header, value in attributes if value is not UNSET]
    headers.append(("content-type", event.datacontenttype.encode()))
    return headers


def from_kafka(headers: Mapping[str, bytes], value: bytes) -> CloudEvent:
    """The event of the binary mapping over Kafka. Raises InvalidCloudEvent."""
    try:
        text = {name: content.decode() for name, content in headers.items()}
    except UnicodeDecodeError as error:
        raise InvalidCloudEvent(f"a header is no UTF-8: {error}") from error
    attributes = {
        name.removeprefix(KAFKA_PREFIX): content for name, content in text.items() if name.startswith(KAFKA_PREFIX)
    }
    return _from_attributes(attributes, text.get("content-type", ""), value)


def amqp_headers(event: CloudEvent) -> dict[str, str]:
    """The headers of the binary mapping over AMQP; the message's content type is the event's, its body the data."""
    return {f"{AMQP_PREFIX}{name}": value for name, value in event.attributes()}


def from_amqp(headers: Mapping[str, object], content_type: str, body: bytes) -> CloudEvent:
    """The event of the binary mapping over AMQP; senders may write either prefix. Raises InvalidCloudEvent."""
    attributes: dict[str, str] = {}
    for name, value in headers.items():
        for prefix in _AMQP_PREFIXES:
            if name.startswith(prefix):
                if not isinstance(value, str):
                    raise InvalidCloudEvent(f"the header {name} is no text")
                attributes[name.removeprefix(prefix)] = value
    return _from_attributes(attributes, content_type, body)


def _from_attributes(attributes: Mapping[str, str], content_type: str, data: bytes) -> CloudEvent:
    try:
        msgspec.json.decode(data)
        event = msgspec.convert({**attributes, "datacontenttype": content_type, "data": Raw(data)}, CloudEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidCloudEvent(str(error)) from error
    return _checked(event)


def _checked(event: CloudEvent) -> CloudEvent:
    if event.specversion != "1.0":
        raise InvalidCloudEvent(f"specversion {event.specversion!r} is not 1.0")
    if event.datacontenttype.partition(";")[0].strip().lower() != JSON:
        raise InvalidCloudEvent(f"the data is {event.datacontenttype!r}, not {JSON}")
    return event
