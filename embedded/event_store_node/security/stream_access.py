"""Whether a user may do something to a stream, as its metadata, `$settings` and the defaults have it."""

import json
from typing import Any

from embedded.event_store_node.events import is_metadata_stream, metadata_stream_of
from embedded.event_store_node.reader import Reader
from embedded.event_store_node.security.acl import SYSTEM_STREAMS, USER_STREAMS, Acl, Action, allows, parse_acl
from embedded.event_store_node.security.users import User
from embedded.event_store_node.wire import RecordedEvent

ALL_STREAM = "$all"
SETTINGS_STREAM = "$settings"

_OF_METADATA_STREAM = {Action.READ: Action.READ_METADATA, Action.WRITE: Action.WRITE_METADATA}


class StreamAccess:
    """Looks at what is committed, each time: a changed list counts from the next call on."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

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

    def _lists(self, stream: str) -> tuple[Acl | None, Acl | None, Acl]:
        is_system_stream = stream.startswith("$")
        key = "$systemStreamAcl" if is_system_stream else "$userStreamAcl"
        return (
            parse_acl(self._last_document(metadata_stream_of(stream)).get("$acl")),
            parse_acl(self._last_document(SETTINGS_STREAM).get(key)),
            SYSTEM_STREAMS if is_system_stream else USER_STREAMS,
        )

    def _last_document(self, stream: str) -> dict[str, Any]:
        info = self._reader.stream(stream)
        if info.is_tombstoned or not info.is_found:
            return {}
        last = self._reader.stream_backwards(info, info.last_revision, 1)
        try:
            document = json.loads(RecordedEvent.FromString(last[0].record).data) if last else {}
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}
