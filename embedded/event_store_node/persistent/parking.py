"""The parked stream of a group: messages that no consumer could handle, as links."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from embedded.event_store_node.log.links import link_target
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.log.writes import Appended
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.system_writes import SystemWrites, admins_only

_PAGE_EVENTS = 100


def parked_stream(key: str) -> str:
    return f"$persistentsubscription-{key}-parked"


class ParkedMessages:
    """Parks a group's messages, counts them and reads them again."""

    def __init__(self, key: str, reader: Reader, writes: SystemWrites) -> None:
        self._stream = parked_stream(key)
        self._reader = reader
        self._writes = writes

    def park(self, message: Message, reason: str, on_done: Callable[[bool], None]) -> None:
        """Write a link to the message's event; `on_done` is told whether it is durable."""
        metadata: dict[str, Any] = {"added": datetime.now().astimezone().isoformat(), "reason": reason}
        if message.original.revision:  # zero is left out, as the server does
            metadata["subscriptionEventNumber"] = message.original.revision
        self._writes.link(
            self._stream, _link_to(message), metadata, lambda outcome: on_done(isinstance(outcome, Appended))
        )

    def bounds(self) -> tuple[int, int]:
        """The revisions of the first parked message and after the last one, those truncated left out."""
        stream = self._reader.stream(self._stream)
        if stream.is_tombstoned or not stream.is_found:
            return 0, 0
        end = stream.last_revision + 1
        return min(stream.first_readable, end), end

    def page(self, first: int, stop: int) -> tuple[list[Message], int]:
        """Parked messages from a revision on, those whose event is gone left out, and the revision to go on at."""
        stream = self._reader.stream(self._stream)
        if stream.is_tombstoned or not stream.is_found:
            return [], stop
        links = self._reader.stream_forwards(stream, first, min(_PAGE_EVENTS, stop - first))
        links = [link for link in links if link.revision < stop]
        messages = [Message(link, link_target(self._reader, link), None) for link in links]
        return [one for one in messages if one.target is not None], links[-1].revision + 1 if links else stop

    def truncate(self, before: int) -> None:
        """Forget the messages below a revision, unless somebody has deleted them meanwhile."""
        stream = self._reader.stream(self._stream)
        if stream.is_found and not stream.is_tombstoned and stream.first_readable < before:
            self._writes.metadata(self._stream, {"$tb": before, "$acl": admins_only()})

    def delete(self) -> None:
        self._writes.delete(self._stream)


def _link_to(message: Message) -> str:
    event = message.target
    if event is None:  # a link that leads nowhere is parked as it is
        return RecordedEvent.FromString(message.original.record).data.decode(errors="replace")
    return f"{event.revision}@{event.stream}"
