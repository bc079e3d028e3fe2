"""The checkpoint stream of a group."""

import json
import logging
from collections.abc import Callable

from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.log.writes import Appended, Outcome
from embedded.event_store_node.persistent.system_writes import SystemWrites, admins_only

logger = logging.getLogger(__name__)

TYPE = "$SubscriptionCheckpoint"
# The type that servers before version 20 wrote.
_OLD_TYPE = "SubscriptionCheckpoint"


def checkpoint_stream(key: str) -> str:
    return f"$persistentsubscription-{key}-checkpoint"


class Checkpoints:
    """Reads and writes a group's checkpoint, one write at a time."""

    def __init__(self, key: str, reader: Reader, writes: SystemWrites) -> None:
        self._stream = checkpoint_stream(key)
        self._reader = reader
        self._writes = writes
        self._has_metadata = False
        self.is_saving = False

    def load(self) -> str | None:
        """The last checkpoint, as text; None if there is none."""
        stream = self._reader.stream(self._stream)
        if stream.is_tombstoned or not stream.is_found:
            return None
        events = self._reader.stream_backwards(stream, stream.last_revision, 1)
        if not events or events[0].type not in (TYPE, _OLD_TYPE):
            return None
        try:
            checkpoint = json.loads(RecordedEvent.FromString(events[0].record).data)
        except ValueError:
            checkpoint = None
        if not isinstance(checkpoint, str):
            logger.error("The checkpoint in stream %s is malformed", self._stream)
            return None
        self._has_metadata = True
        return checkpoint

    def save(self, checkpoint: str, on_done: Callable[[bool], None]) -> None:
        """Write a checkpoint; `on_done` is told whether it is durable. None other may be on its way."""

        def done(outcome: Outcome) -> None:
            self.is_saving = False
            on_done(isinstance(outcome, Appended))

        self.is_saving = True
        if not self._has_metadata:
            metadata = {"$maxCount": 2, "$acl": admins_only(metadata_for_all=True)}
            self._writes.metadata(self._stream, metadata, self._metadata_done)
        self._writes.json(self._stream, TYPE, checkpoint, done)

    def _metadata_done(self, outcome: Outcome) -> None:
        self._has_metadata = isinstance(outcome, Appended)

    def delete(self) -> None:
        self._writes.delete(self._stream)
