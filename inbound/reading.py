"""What a message says: which event it is, what it is called, which commands it becomes. Pure."""

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from domain.model.inbound import InboundContract, InboundMessage, MappedCommand
from inbound.sources import Source
from infrastructure.dead_letters.places import place_of
from infrastructure.inbound.messages import IncomingMessage
from infrastructure.integration.cloud_event import InvalidCloudEvent
from infrastructure.integration.received_event import ReceivedEvent, attributes_of, received_event

ErrorClass = Literal[
    "not-a-cloud-event",
    "too-large",
    "unknown-type",
    "unknown-version",
    "schema",
    "mapping",
    "refused",
    "id-reused",
    "no-answer",
    "behind",
]
_IDS = uuid.UUID("5d2f6a0e-7a43-5e0c-9c47-0e0d2f3a9b61")
_LONGEST_KEY = 128
_VERSIONED = re.compile(r"(.+)\.v([0-9]{1,9})")


class Unusable(Exception):
    """A message that no repetition makes better: it is to be set aside. `code` is the rule's, where a rule refused;
    `place` the function of ours that failed, where one did."""

    def __init__(self, error_class: ErrorClass, reason: str, code: str = "", place: str = "") -> None:
        super().__init__(reason)
        self.error_class: ErrorClass = error_class
        self.code = code
        self.place = place


class Arrival(Struct, frozen=True):
    """A message whose envelope was looked at. `id` is ours: the same whenever, and from wherever, the same event of the
    source comes. `key` is what its order is kept by, "" for none. Without an `event`, `fault` says why."""

    message: IncomingMessage
    id: str
    key: str
    event: ReceivedEvent | None
    fault: Unusable | None = None

    @property
    def lane(self) -> str:
        """Messages of one lane are handled one after another."""
        return f"key {self.key}" if self.key else f"id {self.id}"


class Reader:
    """Of one source. Raises ValueError when two contracts have the same type."""

    def __init__(self, source: Source, contracts: Iterable[InboundContract]) -> None:
        self._source = source
        self._messages: Mapping[str, InboundMessage] = known_messages(contracts)
        self._newest: dict[str, int] = {}
        for cloud_type, message in self._messages.items():
            name = cloud_type.rpartition(".v")[0]
            self._newest[name] = max(message.version, self._newest.get(name, 0))

    def arrival(self, message: IncomingMessage) -> Arrival:
        """Which message it is; never raises."""
        event, fault = None, None
        try:
            event = self._event(message)
        except Unusable as unusable:
            fault = unusable
        said = attributes_of(message.headers)
        if event is not None:
            identity = message_id(self._source.name, event.source, event.id)
            return Arrival(message, identity, event.partitionkey or message.key or event.subject, event)
        if said.get("id") and said.get("source"):
            identity = message_id(self._source.name, said["source"], said["id"])
        else:
            identity = str(uuid.uuid5(_IDS, f"{self._source.name}|{message.digest()}"))
        return Arrival(
            message, identity, said.get("partitionkey") or message.key or said.get("subject", ""), None, fault
        )

    def commands(self, arrival: Arrival) -> tuple[MappedCommand, ...]:
        """What the message becomes. Raises Unusable."""
        event = arrival.event
        if event is None:
            assert arrival.fault is not None
            raise arrival.fault
        message = self._known(event.type)
        try:
            data = msgspec.json.decode(event.data, type=message.struct)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unusable("schema", f"the data is no {event.type}: {error}") from error
        try:
            return message.commands(data)
        except Exception as error:
            why = f"{event.type} can't be mapped: {type(error).__name__}: {error}"
            raise Unusable("mapping", why, place=place_of(error)) from error

    def _event(self, message: IncomingMessage) -> ReceivedEvent:
        size = len(message.body)
        if size > self._source.limits.max_bytes:
            raise Unusable("too-large", f"the body has {size} bytes; at most {self._source.limits.max_bytes} are taken")
        if message.header_fault:
            raise Unusable("not-a-cloud-event", message.header_fault)
        try:
            return received_event(message.headers, message.content_type, message.body)
        except InvalidCloudEvent as error:
            raise Unusable("not-a-cloud-event", str(error)) from error

    def _known(self, cloud_type: str) -> InboundMessage:
        shown = cloud_type[:200]
        found = _VERSIONED.fullmatch(cloud_type)
        if cloud_type not in self._messages and found and found[1] in self._newest:
            newest = self._newest[found[1]]
            which = "newer than" if int(found[2]) > newest else "not"
            raise Unusable(
                "unknown-version", f"{shown} is {which} a version that is taken here; the newest is {newest}"
            )
        if cloud_type not in self._messages:
            raise Unusable("unknown-type", f"nobody here knows messages of the type {shown!r}")
        if not self._source.takes(cloud_type):
            raise Unusable("unknown-type", f"the source {self._source.name} is not set to take {shown!r}")
        return self._messages[cloud_type]


def known_messages(contracts: Iterable[InboundContract]) -> dict[str, InboundMessage]:
    """Every message by its type. Raises ValueError when two have the same."""
    found: dict[str, InboundMessage] = {}
    for contract in contracts:
        for message in contract.messages:
            cloud_type = contract.type_of(message)
            if cloud_type in found:
                raise ValueError(f"two inbound messages have the type {cloud_type}")
            found[cloud_type] = message
    return found


def message_id(source: str, event_source: str, event_id: str) -> str:
    """Our id of an event: from the source's name here, and from what the sender says."""
    parts = "|".join(f"{len(part)}:{part}" for part in (source, event_source, event_id))
    return str(uuid.uuid5(_IDS, parts))


def command_key(identity: str, step: str) -> str:
    """The idempotency key of a message's command."""
    key = f"inbound-{identity}-{step}"
    return key if len(key) <= _LONGEST_KEY else f"inbound-{uuid.uuid5(_IDS, key)}"
