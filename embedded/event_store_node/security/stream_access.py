"""Whether a user may do something to a stream, as its metadata, `$settings` and the defaults have it."""

import json
from collections.abc import Sequence
from typing import Any

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.events import (
    JSON_CONTENT_TYPE,
    TOMBSTONE_TYPE,
    LoggedEvent,
    is_metadata_stream,
    metadata_stream_of,
)
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.security.acl import SYSTEM_STREAMS, USER_STREAMS, Acl, Action, allows, parse_acl
from embedded.event_store_node.security.users import User

ALL_STREAM = "$all"
SETTINGS_STREAM = "$settings"

_OF_METADATA_STREAM = {Action.READ: Action.READ_METADATA, Action.WRITE: Action.WRITE_METADATA}


_MAX_KNOWN = 10_000

Lists = tuple[Acl | None, Acl | None, Acl]


class StreamAccess:
    """
    Remembers the lists of the streams in use, and listens to what is committed: a changed list counts from the
    next call on.
    """

    def __init__(self, reader: Reader, broker: Broker) -> None:
        self._reader = reader
        self._known: dict[str, Lists] = {}
        broker.add(self)

    def allows(self, user: User | None, action: Action, stream: str) -> bool:
        """Whether the user may read, write or delete a stream, `$all` and metadata streams among them."""
        if user is None:
            return False
        if stream == ALL_STREAM and action is not Action.READ:
            return False
        if is_metadata_stream(stream):
            if action not in _OF_METADATA_STREAM:
                return False
            action, stream = _OF_METADATA_STREAM[action], stream[2:]
        return user.is_admin or allows(user, action, *self._lists(stream))

    def offer(self, events: Sequence[LoggedEvent]) -> None:
        """Forget the lists that these events may have changed."""
        for event in events:
            if event.stream in (SETTINGS_STREAM, metadata_stream_of(SETTINGS_STREAM)):
                self._known.clear()
            elif is_metadata_stream(event.stream):
                self._known.pop(event.stream[2:], None)
            elif event.type == TOMBSTONE_TYPE:
                self._known.pop(event.stream, None)

    def close(self) -> None:
        """The node is shutting down; calls in hand are still checked."""

    def _lists(self, stream: str) -> Lists:
        lists = self._known.get(stream)
        if lists is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            lists = self._known[stream] = self._read_lists(stream)
        return lists

    def _read_lists(self, stream: str) -> Lists:
        is_system_stream = stream.startswith("$")
        key = "$systemStreamAcl" if is_system_stream else "$userStreamAcl"
        return (
            parse_acl(self._last_document(metadata_stream_of(stream), only_json=True).get("$acl")),
            parse_acl(self._last_document(SETTINGS_STREAM).get(key)),
            SYSTEM_STREAMS if is_system_stream else USER_STREAMS,
        )

    def _last_document(self, stream: str, only_json: bool = False) -> dict[str, Any]:
        """The JSON object of a stream's last event, whether or not its content type says that it is one."""
        last = self._reader.last_event(stream)
        if last is None:  # as with most streams
            return {}
        info = self._reader.stream(stream)
        if info.is_tombstoned or not info.is_found:
            return {}
        record = RecordedEvent.FromString(last.record)
        if only_json and record.metadata["content-type"] != JSON_CONTENT_TYPE:
            return {}
        try:
            document = json.loads(record.data)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}
