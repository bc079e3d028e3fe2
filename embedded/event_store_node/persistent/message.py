"""An event on its way through a group, from the buffer to a consumer and, if need be, back."""

from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from esdbclient.protos.Grpc import shared_pb2

from embedded.event_store_node.log.events import LINK_TYPE, LoggedEvent
from embedded.event_store_node.log.links import link_target
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import uuid_bytes

# A record starts with its id: two keys and lengths, then the UUID as text.
_ID = slice(4, 40)


class Holder(Protocol):
    """Has messages in hand until each is done with, delivered again or parked."""

    def release(self, message: "Message") -> None:
        """The message is no longer the holder's."""


@dataclass(slots=True, eq=False)
class Message:
    """
    `original` is the event as the source has it, `target` what it resolves to: itself, or the event behind a
    link, or None if that link leads nowhere. `sequence` counts a group's events; None for a replayed one, which
    no checkpoint waits for. `expires` is in seconds of the group's clock.
    """

    original: LoggedEvent
    target: LoggedEvent | None
    sequence: int | None
    retry_count: int = 0
    expires: float = 0.0
    consumer: Holder | None = None
    bucket: int | None = None
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.original.record[_ID]

    @property
    def link(self) -> LoggedEvent | None:
        return None if self.target is self.original else self.original

    @property
    def size(self) -> int:
        """Bytes of the records held."""
        return len(self.original.record) + (len(self.target.record) if self.link and self.target else 0)

    def retried(self) -> "Message":
        """The same event for its next delivery; this delivery may still be on its way to a consumer."""
        return replace(self, retry_count=self.retry_count + 1, consumer=None)


def message(event: LoggedEvent, sequence: int | None, reader: Reader, resolve_links: bool) -> Message:
    """A message with an event of the source, links resolved if so asked."""
    if resolve_links and event.type == LINK_TYPE:
        return Message(event, link_target(reader, event), sequence)
    return Message(event, event, sequence)


def message_id(uuid: shared_pb2.UUID) -> bytes:
    """
    The id by which a consumer speaks of a message.

    Raises:
        ValueError: it is absent or malformed.
    """
    return str(UUID(bytes=uuid_bytes(uuid))).encode()
