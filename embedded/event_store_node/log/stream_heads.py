"""The writer's view of the streams: a bounded cache of where each one ends, read from the log on a miss."""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from embedded.event_store_node.log import metadata
from embedded.event_store_node.log.events import JSON_CONTENT_TYPE, is_metadata_stream, metadata_stream_of
from embedded.event_store_node.log.metadata import StreamMetadata
from embedded.event_store_node.log.records import RecordedEvent

_NAMES_PER_QUERY = 500

_LAST_OF_EACH = """
SELECT s.name, s.id, e.revision, e.position, CASE WHEN s.name LIKE '$$%' THEN e.record END
FROM stream s JOIN event e ON e.stream = s.id
WHERE s.name IN ({names}) AND e.revision = (SELECT max(revision) FROM event WHERE stream = s.id)
"""


@dataclass(slots=True)
class StreamHead:
    """
    Where a stream ends. `id` is 0 until the stream has events. `metadata_json` is the data of the last event
    of its metadata stream, empty if there is none.
    """

    name: str
    id: int = 0
    last_revision: int = -1
    last_position: int = 0
    metadata_revision: int = -1
    metadata_json: bytes = b""
    metadata: StreamMetadata = metadata.EMPTY

    def set_metadata(self, revision: int, data: bytes, content_type: str) -> None:
        self.metadata_revision = revision
        self.metadata_json = data if content_type == JSON_CONTENT_TYPE else b""
        self.metadata = metadata.parse(self.metadata_json)


class StreamHeads:
    """Heads by stream name; at most `capacity` of them between batches."""

    def __init__(self, connection: sqlite3.Connection, capacity: int = 20_000) -> None:
        self._connection = connection
        self._capacity = capacity
        self._heads: OrderedDict[str, StreamHead] = OrderedDict()

    def __getitem__(self, name: str) -> StreamHead:
        head = self._heads.get(name)
        if head is None:
            self.load([name])
            head = self._heads[name]
        return head

    def cached(self, name: str) -> StreamHead | None:
        return self._heads.get(name)

    def load(self, names: Iterable[str]) -> None:
        """Make the heads of these streams present, with one query for all that are missing."""
        missing = []
        for name in names:
            if name in self._heads:
                self._heads.move_to_end(name)
            else:
                missing.append(name)
        for start in range(0, len(missing), _NAMES_PER_QUERY):
            self._read(missing[start : start + _NAMES_PER_QUERY])

    def trim(self) -> None:
        """Forget the heads that were not used for the longest time, down to the capacity."""
        while len(self._heads) > self._capacity:
            self._heads.popitem(last=False)

    def forget(self, names: Iterable[str]) -> None:
        """Read these anew when they are needed: they were removed."""
        for name in names:
            self._heads.pop(name, None)

    def clear(self) -> None:
        """Forget everything: a batch was rolled back."""
        self._heads.clear()

    def _read(self, names: list[str]) -> None:
        wanted = names + [metadata_stream_of(name) for name in names if not is_metadata_stream(name)]
        sql = _LAST_OF_EACH.format(names=", ".join("?" * len(wanted)))
        rows = {row[0]: row[1:] for row in self._connection.execute(sql, wanted)}
        for name in names:
            head = StreamHead(name)
            if name in rows:
                head.id, head.last_revision, head.last_position, _ = rows[name]
            meta = None if is_metadata_stream(name) else rows.get(metadata_stream_of(name))
            if meta is not None:
                last = RecordedEvent.FromString(meta[3])
                head.set_metadata(meta[1], last.data, last.metadata["content-type"])
            self._heads[name] = head
