"""The one decode path from stored bytes to domain events, for commands, projections and history alike; and back."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from domain.model.aggregate import Aggregate
from domain.model.aggregate_deleted import AggregateDeleted
from domain.model.event_types import EventTypes, UndecodableEvent
from domain.model.personal import personal_fields
from domain.model.process import Process
from domain.model.process_events import PROCESS_EVENTS
from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import METADATA_TYPE, TOMBSTONE_TYPE, NewEvent, StoredEvent, StreamMetadata
from infrastructure.name_based_ids import uuid5_text
from infrastructure.personal_data import KeyId, PersonalKeys
from infrastructure.personal_data.sealing import Place, SealingKey, needed, opened, seal, subjects

_EVENT_IDS = uuid.UUID("5a1f6c1e-7f0e-5c0b-9b8e-6f2d1c3e4a57")


_OF_STREAMS = frozenset({METADATA_TYPE, TOMBSTONE_TYPE})
# It stands behind all that the stream can hold.
_NO_REVISION = 2**63 - 1


class MetadataChanged(Struct, frozen=True, gc=False):
    """The stream's metadata says something new, but not that it is deleted."""


class EventMetadata(Struct, frozen=True, omit_defaults=True, gc=False):
    """What is stored beside an event's data: which command caused it, who acted, and the schema version of the data.
    `sent_by` is who sent the command where that is not the actor.

    The names with a dollar sign are EventStoreDB's own, which its tools follow.
    """

    schema_version: int = msgspec.field(name="schemaVersion", default=1)
    command_id: str | None = msgspec.field(name="commandId", default=None)
    command_hash: str | None = msgspec.field(name="commandHash", default=None)
    correlation_id: str | None = msgspec.field(name="$correlationId", default=None)
    causation_id: str | None = msgspec.field(name="$causationId", default=None)
    actor: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    sent_by: str | None = msgspec.field(name="sentBy", default=None)


class _SchemaVersion(Struct, gc=False):
    schema_version: int = msgspec.field(name="schemaVersion", default=1)


_schema_version = msgspec.json.Decoder(_SchemaVersion)
_metadata = msgspec.json.Decoder(EventMetadata)
_encode = msgspec.json.Encoder().encode


Encode = Callable[[Struct, EventMetadata, str], NewEvent]
Decode = Callable[[StoredEvent], RecordedEvent[Struct]]


class KeysNotFetched(Exception):
    """Programming error: an event with personal fields was encoded or decoded without its keys, see `decoder`."""


class EventCodec:
    """Encodes and decodes the events of the aggregates and processes given.

    Personal fields (see domain.model.personal) are encrypted with the `keys` of their persons. Those are looked up
    before anything is encoded or decoded, for a whole batch: `encoder` and `decoder` do that, and give what encodes and
    decodes these events. Events without such fields need no keys.

    Raises ValueError when their event types contradict one another or lack an upcaster, and when a process has an event
    with personal fields.
    """

    def __init__(
        self, aggregates: Iterable[Aggregate], processes: Iterable[Process] = (), keys: PersonalKeys | None = None
    ) -> None:
        given, running = tuple(aggregates), tuple(processes)
        self._categories = frozenset(
            [*(aggregate.category for aggregate in given), *(process.name for process in running)]
        )
        self._types = EventTypes(
            [
                *(event_type for aggregate in given for event_type in aggregate.events),
                *(event_type for process in running for event_type in process.events),
                *(PROCESS_EVENTS if running else ()),
            ]
        )
        self._keys = keys
        self._personal = self._types.with_personal_fields
        self._personal_structs = frozenset(self._types.struct(name) for name in self._personal)
        for process in running:
            for event_type in process.events:
                if event_type.name in self._personal:
                    raise ValueError(
                        f"process {process.name}: {event_type.name} has personal fields, which none may have"
                    )

    def is_ours(self, stored: StoredEvent) -> bool:
        """Whether the event stands in a stream of one of the aggregates or processes: by its category, which is what
        stands before the first hyphen of the stream's name, as in EventStoreDB's `$by_category`."""
        return stored.stream.partition("-")[0] in self._categories

    def struct_of(self, stored: StoredEvent) -> type[Struct]:
        """The Struct of an event of ours, without decoding it. Raises UnknownEventType."""
        return self._types.struct(stored.type)

    async def encoder(self, stream: str, events: Sequence[Struct]) -> Encode:
        """What encodes these events for a stream, and no others that have personal fields.

        Raises KeyStoreUnavailable.
        """
        marked = [event for event in events if type(event) in self._personal_structs]
        if not marked:
            return self.encode
        wanted: dict[str, bool] = {}
        for event in marked:
            for subject, begins in subjects(self._types.encode(event)[2], personal_fields(type(event))).items():
                wanted[subject] = wanted.get(subject, False) or begins
        return partial(self.encode, stream=stream, keys=await self._require_keys().to_seal(wanted))

    async def decoder(self, events: Iterable[StoredEvent]) -> Decode:
        """What decodes these events, and no others that have personal fields. Raises KeyStoreUnavailable."""
        if not self._personal:
            return self.decode
        wanted: set[KeyId] = set()
        for stored in events:
            if stored.type in self._personal and self.is_ours(stored):
                wanted.update(self.keys_of(stored))
        return partial(self.decode, keys=await self._require_keys().to_open(wanted)) if wanted else self.decode

    def encode(
        self,
        event: Struct,
        metadata: EventMetadata,
        new_id: str,
        stream: str = "",
        keys: Mapping[str, SealingKey] | None = None,
    ) -> NewEvent:
        """The event as it is appended; its schema version is written into the metadata.

        Raises KeysNotFetched when it has personal fields whose keys are not given: see `encoder`.
        """
        name, version, data = self._types.encode(event)
        if version != 1:
            metadata = msgspec.structs.replace(metadata, schema_version=version)
        if name in self._personal and (marks := self._types.marks(name, version)):
            try:
                data = seal(data, marks, Place(stream, new_id, name), keys or {})
            except KeyError as error:
                raise KeysNotFetched(f"{name}: {error}") from error
        return NewEvent(new_id, name, data, _encode(metadata))

    def decode(self, stored: StoredEvent, keys: Mapping[KeyId, bytes | None] | None = None) -> RecordedEvent[Struct]:
        """The domain event in its newest schema version, with its place in the log. What is personal is decrypted, or
        redacted where its key was destroyed, before it is upcast, by the marks of the version that it was stored in.

        Raises UnknownEventType, UndecodableEvent or KeysNotFetched.
        """
        if stored.type in _OF_STREAMS:
            return _of_the_stream(stored)
        version = _version_of(stored)
        data = stored.data
        if stored.type in self._personal and (marks := self._types.marks(stored.type, version)):
            try:
                data = opened(data, marks, Place(stored.stream, stored.id, stored.type), keys or {})
            except KeyError as error:
                raise KeysNotFetched(f"{stored.type}: {error}") from error
        event = self._types.decode(stored.type, version, data)
        return RecordedEvent(event, stored.stream, stored.revision, stored.position, stored.recorded_at)

    def keys_of(self, stored: StoredEvent) -> Iterable[KeyId]:
        """The keys that its personal fields are encrypted with."""
        if stored.type not in self._personal:
            return ()
        try:
            version = _version_of(stored)
        except UndecodableEvent:
            return ()  # decoding it will say so
        return needed(stored.data, self._types.marks(stored.type, version))

    def _require_keys(self) -> PersonalKeys:
        if self._keys is None:
            raise KeysNotFetched("this codec was made without keys, but events have personal fields")
        return self._keys


def _version_of(stored: StoredEvent) -> int:
    try:
        return _schema_version.decode(stored.metadata).schema_version if stored.metadata else 1
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UndecodableEvent(f"{stored.type}: metadata: {error}") from error


def _of_the_stream(stored: StoredEvent) -> RecordedEvent[Struct]:
    """What the event store itself says about the stream."""
    category, _, aggregate_id = stored.stream.partition("-")
    event: Struct = MetadataChanged()
    if stored.type == TOMBSTONE_TYPE or StreamMetadata.parse(stored.data).is_soft_deleted:
        event = AggregateDeleted(category, aggregate_id, for_good=stored.type == TOMBSTONE_TYPE)
    return RecordedEvent(event, stored.stream, _NO_REVISION, stored.position, stored.recorded_at)


def decode_metadata(stored: StoredEvent) -> EventMetadata:
    """The event's metadata; empty when there is none. Raises UndecodableEvent."""
    try:
        return _metadata.decode(stored.metadata) if stored.metadata else EventMetadata()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UndecodableEvent(f"{stored.type}: metadata: {error}") from error


def event_id(stream: str, command_id: str, command_hash: str, index: int) -> str:
    """The id of a command's n-th event: the same for a repeated command, another for another body under the same id.

    With the body's hash in it, the store's own idempotency never takes a different command for a repetition.
    """
    return uuid5_text(_EVENT_IDS, f"{stream}|{command_id}|{command_hash}|{index}")
