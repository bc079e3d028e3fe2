"""Events as one reader asked for them: links resolved or not, ids as text or as numbers."""

from embedded.event_store_node.log.events import LINK_TYPE, LoggedEvent
from embedded.event_store_node.log.links import link_target
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import with_structured_uuid
from embedded.event_store_node.services import read_responses


class Encoder:
    """Turns logged events into the bytes of ReadResp messages."""

    def __init__(self, reader: Reader, resolve_links: bool, structured_uuid: bool) -> None:
        self._reader = reader
        self._resolve_links = resolve_links
        self._structured_uuid = structured_uuid

    def encode(self, event: LoggedEvent) -> bytes:
        if self._resolve_links and event.type == LINK_TYPE:
            target = link_target(self._reader, event)
            return read_responses.read_resolved(self._formed(event), target and self._formed(target))
        return read_responses.read_event(self._formed(event))

    def _formed(self, event: LoggedEvent) -> LoggedEvent:
        return with_structured_uuid(event) if self._structured_uuid else event
