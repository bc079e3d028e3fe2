"""CloudEvents of others, as they come: more may be missing than in our own, and what we do not know is passed over.

The binary mapping has the attributes as headers: `ce_id` in Kafka, `cloudEvents_id` or `cloudEvents:id` over AMQP; the
structured one has all of it in one JSON document. The content type says which it is.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from infrastructure.integration.cloud_event import JSON, KAFKA_PREFIX, STRUCTURED, InvalidCloudEvent

AMQP_PREFIXES = ("cloudEvents_", "cloudEvents:")
_PREFIXES = (KAFKA_PREFIX, *AMQP_PREFIXES)
_BATCH = "application/cloudevents-batch"
_LONGEST_ATTRIBUTE = 1_024
_BOUNDED = ("id", "source", "type", "subject", "partitionkey", "correlationid")


class ReceivedEvent(Struct, frozen=True, kw_only=True, gc=False):
    """An event of another system. By `source` and `id` a repetition is known. What it does not say is ""; the data is
    JSON."""

    id: str
    source: str
    type: str
    subject: str = ""
    time: str = ""
    partitionkey: str = ""
    correlationid: str = ""
    traceparent: str = ""
    tracestate: str = ""
    data: Raw


class _Attributes(Struct, frozen=True, kw_only=True):
    specversion: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    partitionkey: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    data: Raw | UnsetType = UNSET
    data_base64: str | None = None


_decode = msgspec.json.Decoder(_Attributes).decode


def is_structured(content_type: str) -> bool:
    """Whether the body is the whole event."""
    return _media_type(content_type) == STRUCTURED


def received_event(headers: Mapping[str, str], content_type: str, body: bytes) -> ReceivedEvent:
    """The event of a message. Raises InvalidCloudEvent, which says what is missing or wrong."""
    media_type = _media_type(content_type)
    if media_type.startswith(_BATCH):
        raise InvalidCloudEvent("a batch of events in one message is not taken: send each by itself")
    if media_type == STRUCTURED:
        return _checked(_structured(body))
    named = attributes_of(headers)
    if not named:
        raise InvalidCloudEvent(f"no CloudEvent: neither is it {STRUCTURED}, nor has it headers such as ce_id")
    found = msgspec.convert({**named, "datacontenttype": content_type or JSON}, _Attributes)
    return _checked(msgspec.structs.replace(found, data=Raw(body)))


def attributes_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The attributes that stand in headers, by their names without the prefix."""
    return {
        name.removeprefix(prefix): value
        for name, value in headers.items()
        for prefix in _PREFIXES
        if name.startswith(prefix)
    }


def _structured(body: bytes) -> _Attributes:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCloudEvent(f"the body is no event in JSON: {error}") from error


def _checked(found: _Attributes) -> ReceivedEvent:
    for name in ("specversion", "id", "source", "type"):
        if getattr(found, name) in (UNSET, ""):
            raise InvalidCloudEvent(f"the attribute {name} is missing")
    for name in _BOUNDED:
        if len(str(getattr(found, name) or "")) > _LONGEST_ATTRIBUTE:
            raise InvalidCloudEvent(f"the attribute {name} has more than {_LONGEST_ATTRIBUTE} characters")
    if found.specversion != "1.0":
        raise InvalidCloudEvent(f"specversion {str(found.specversion)[:20]!r} is not 1.0")
    return ReceivedEvent(
        id=str(found.id),
        source=str(found.source),
        type=str(found.type),
        subject=found.subject or "",
        time=found.time or "",
        partitionkey=found.partitionkey or "",
        correlationid=found.correlationid or "",
        traceparent=found.traceparent or "",
        tracestate=found.tracestate or "",
        data=_data(found),
    )


def _data(found: _Attributes) -> Raw:
    media_type = _media_type(found.datacontenttype or JSON)
    if media_type != JSON and not media_type.endswith("+json"):
        raise InvalidCloudEvent(f"the data is {media_type[:100]!r}, not {JSON}")
    data = found.data
    if found.data_base64 is not None:
        try:
            data = Raw(base64.b64decode(found.data_base64, validate=True))
        except (binascii.Error, ValueError) as error:
            raise InvalidCloudEvent(f"data_base64 is not base64: {error}") from error
    if data is UNSET or not bytes(data):
        raise InvalidCloudEvent("there is no data")
    try:
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCloudEvent(f"the data is no JSON: {error}") from error
    return data


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
