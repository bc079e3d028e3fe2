"""The properties of a message of RabbitMQ that carries an integration event, with the envelope as headers.

They are written as bytes here: the client's library goes through all fourteen properties and through a table of a dozen
headers for each message, much of what a message costs the relay. What an event has in common with the others of its
type is written once. The layout is that of AMQP 0-9-1, 4.2.5.5 and 4.2.6.1.
"""

from datetime import datetime
from functools import lru_cache
from struct import Struct

from aiormq import spec
from msgspec import UNSET

from infrastructure.integration.cloud_event import AMQP_PREFIX, ATTRIBUTES, CloudEvent

LONGEST_SHORT_STRING = 255
"""In bytes: routing keys and most properties are short strings."""

_APP_ID = "eventfold"
_PERSISTENT = b"\x02"
_KEPT_TYPES = 512

_FLAGS = spec.Basic.Properties.flags
_CORRELATED = _FLAGS["correlation_id"]
_ALWAYS = sum(
    _FLAGS[name]
    for name in ("content_type", "headers", "delivery_mode", "message_id", "timestamp", "message_type", "app_id")
)
_flags, _length, _seconds = Struct(">H").pack, Struct(">I").pack, Struct(">Q").pack


class EventProperties(spec.Basic.Properties):
    """The properties of an event whose type has at most LONGEST_SHORT_STRING bytes. The id is there as an attribute as
    well: by it the client finds a message that comes back."""

    __slots__ = ("_marshalled",)

    def __init__(self, event: CloudEvent) -> None:
        super().__init__(message_id=event.id)
        self._marshalled = _marshal(event)

    def marshal(self) -> bytes:
        """As the library's own would be, but for the order of the headers."""
        return self._marshalled


def _marshal(event: CloudEvent) -> bytes:
    content_type, headers, after = _of_type(
        event.datacontenttype, event.specversion, event.source, event.type, event.dataschema
    )
    parts = [headers]
    for name, attribute in _OF_EVENT:
        value = getattr(event, attribute)
        if value is not UNSET:
            text = value.encode()
            parts += (name, _length(len(text)), text)
    table = b"".join(parts)
    # A longer one is in the headers alone.
    correlation = b"" if event.correlationid is UNSET else event.correlationid.encode()
    correlated = 0 < len(correlation) <= LONGEST_SHORT_STRING
    return b"".join(
        (
            _flags(_ALWAYS | _CORRELATED if correlated else _ALWAYS),
            content_type,
            _length(len(table)),
            table,
            _PERSISTENT,
            bytes((len(correlation),)) + correlation if correlated else b"",
            _short(event.id),
            _seconds(int(datetime.fromisoformat(event.time).timestamp())),
            after,
        )
    )


@lru_cache(_KEPT_TYPES)
def _of_type(
    content_type: str, specversion: str, source: str, event_type: str, dataschema: str
) -> tuple[bytes, bytes, bytes]:
    """The content type, the headers, and what stands after the time, of all events of a type."""
    given = dict(zip(_SAME, (specversion, source, event_type, dataschema), strict=True))
    headers = b"".join(_name(AMQP_PREFIX + name) + _long(value) for name, value in given.items())
    return _short(content_type), headers, _short(event_type) + _short(_APP_ID)


def _short(value: str) -> bytes:
    text = value.encode()
    return bytes((len(text),)) + text


def _long(value: str) -> bytes:
    text = value.encode()
    return _length(len(text)) + text


def _name(header: str) -> bytes:
    """Of a header whose value is a text."""
    return _short(header) + b"S"


_SAME = ("specversion", "source", "type", "dataschema")
# For those who follow traces without knowing of CloudEvents there is the plain header, too.
_OF_EVENT = (
    *((_name(AMQP_PREFIX + attribute), attribute) for attribute in ATTRIBUTES if attribute not in _SAME),
    (_name("traceparent"), "traceparent"),
)
