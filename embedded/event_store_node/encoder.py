"""Events as one reader asked for them: links resolved or not, ids as text or as numbers."""

from embedded.event_store_node import wire
from embedded.event_store_node.events import LINK_TYPE, LoggedEvent
from embedded.event_store_node.reader import Reader


class Encoder:
    """Turns logged events into the bytes of ReadResp messages."""

    def __init__(self, reader: Reader, resolve_links: bool, structured_uuid: bool) -> None:
        self._reader = reader
        self._resolve_links = resolve_links
        self._structured_uuid = structured_uuid

    def encode(self, event: LoggedEvent) -> bytes:
        if self._resolve_links and event.type == LINK_TYPE:
            target = link_target(self._reader, event)
            return wire.read_resolved(self._formed(event), target and self._formed(target))
        return wire.read_event(self._formed(event))

    def _formed(self, event: LoggedEvent) -> LoggedEvent:
        return wire.with_structured_uuid(event) if self._structured_uuid else event


def link_target(reader: Reader, link: LoggedEvent) -> LoggedEvent | None:
    """The event that a link (`revision@stream`) points to, if it can still be read."""
    data = wire.RecordedEvent.FromString(link.record).data
    revision, separator, stream = data.decode(errors="replace").partition("@")
    if not separator or not revision.isascii() or not revision.isdigit() or len(revision) > 19:
        return None
    return reader.event(stream, int(revision))
