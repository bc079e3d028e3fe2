"""The one registry of event types, and the one way in which events become bytes and bytes become events.

A stored event is named by a stable type name and a schema version (never a class path). Upcasters turn
older versions into the newest, so that command loading, projections and history all see the same version.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from domain.model.personal import Marks, personal_fields

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the JSON object of schema version n into version n + 1; pure, and must not fail on what version n allowed."""


class EventType(Struct, frozen=True):
    """A type name, its newest schema version, the Struct of that version, and an upcaster for every older version.

    Which fields are personal (see domain.model.personal) the Struct says for the newest version, `personal` for those
    older versions that had any: what was encrypted then is decrypted before it is upcast.
    """

    name: str
    version: int
    struct: type[Struct]
    upcasters: Mapping[int, Upcaster] = {}
    personal: Mapping[int, Marks] = {}


class UnknownEventType(Exception):
    """The log holds an event of a type (or of a newer schema version) that this code does not know."""


class UndecodableEvent(Exception):
    """The event's type is known, but its data is not what its schema version says."""


class EventTypes:
    """Encodes and decodes every event of the domain.

    Raises ValueError when it is built from types that contradict one another or lack an upcaster.
    """

    def __init__(self, event_types: Sequence[EventType]) -> None:
        self._by_name: dict[str, EventType] = {}
        self._by_struct: dict[type[Struct], EventType] = {}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._marks: dict[tuple[str, int], Marks] = {}
        for event_type in event_types:
            self._add(event_type)
        self._encoder = msgspec.json.Encoder()

    def _add(self, event_type: EventType) -> None:
        if event_type.name in self._by_name:
            raise ValueError(f"two event types are named {event_type.name}")
        if set(event_type.upcasters) != set(range(1, event_type.version)):
            raise ValueError(f"{event_type.name} needs an upcaster for each version below {event_type.version}")
        if not set(event_type.personal) <= set(event_type.upcasters):
            raise ValueError(
                f"{event_type.name} has personal fields of versions that are not below {event_type.version}"
            )
        for version, marks in {**event_type.personal, event_type.version: personal_fields(event_type.struct)}.items():
            if marks:
                self._marks[event_type.name, version] = marks
        self._by_name[event_type.name] = event_type
        self._by_struct[event_type.struct] = event_type
        self._decoders[event_type.name] = msgspec.json.Decoder(event_type.struct)

    @property
    def with_personal_fields(self) -> frozenset[str]:
        """The names of the types that have personal fields, in whichever version."""
        return frozenset(name for name, _ in self._marks)

    def marks(self, name: str, version: int) -> Marks:
        """The personal fields of a schema version; none of a type or version that is not known."""
        return self._marks.get((name, version), {})

    def struct(self, name: str) -> type[Struct]:
        """The Struct of a type. Raises UnknownEventType."""
        event_type = self._by_name.get(name)
        if event_type is None:
            raise UnknownEventType(f"no event type is named {name!r}")
        return event_type.struct

    def encode(self, event: Struct) -> tuple[str, int, bytes]:
        """The event's type name, schema version and JSON."""
        event_type = self._by_struct[type(event)]
        return event_type.name, event_type.version, self._encoder.encode(event)

    def decode(self, name: str, version: int, data: bytes) -> Any:
        """The event in its newest schema version.

        Raises UnknownEventType or UndecodableEvent, each naming what was wrong and where.
        """
        event_type = self._by_name.get(name)
        if event_type is None:
            raise UnknownEventType(f"no event type is named {name!r}")
        try:
            if version == event_type.version:
                return self._decoders[name].decode(data)
            return self._upcast(event_type, version, data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UndecodableEvent(f"{name} version {version}: {error}") from error

    def _upcast(self, event_type: EventType, version: int, data: bytes) -> Any:
        if version < 1:
            raise UndecodableEvent(f"{event_type.name} has schema version {version}; versions begin at 1")
        if version > event_type.version:
            raise UnknownEventType(
                f"{event_type.name} has schema version {version}; this code knows 1 to {event_type.version}"
            )
        fields = msgspec.json.decode(data, type=dict[str, Any])
        try:
            for older in range(version, event_type.version):
                fields = event_type.upcasters[older](fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise UndecodableEvent(f"{event_type.name} version {version}: upcasting failed: {error!r}") from error
        return msgspec.convert(fields, event_type.struct)
