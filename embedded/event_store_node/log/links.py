"""Links: events that stand for another one, given as `revision@stream`."""

from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent


def link_target(reader: Reader, link: LoggedEvent) -> LoggedEvent | None:
    """The event that a link (`revision@stream`) points to, if it can still be read."""
    data = RecordedEvent.FromString(link.record).data
    revision, separator, stream = data.decode(errors="replace").partition("@")
    if not separator or not revision.isascii() or not revision.isdigit() or len(revision) > 19:
        return None
    return reader.event(stream, int(revision))
