"""What a log begins with: the events that the real server writes when it first leads, before any client's."""

import json
import sqlite3
from datetime import UTC, datetime
from uuid import uuid4

from embedded.event_store_node.log.events import METADATA_TYPE, NO_STREAM, metadata_stream_of
from embedded.event_store_node.log.internal_writes import json_event
from embedded.event_store_node.log.log import FIRST_POSITION, Log
from embedded.event_store_node.log.system_streams import EPOCH_STREAM, SCAVENGES_METADATA, SCAVENGES_STREAM
from embedded.event_store_node.log.writes import Kind, WriteRequest


def write_first_events(connection: sqlite3.Connection) -> None:
    """
    Record the first epoch, which `$all` does not show, and the metadata of the scavenges' stream, which it does.
    There are no further epochs: a single node never elects a leader.
    """
    Log(connection).write(
        [
            _append(EPOCH_STREAM, EPOCH_STREAM, _first_epoch()),
            _append(metadata_stream_of(SCAVENGES_STREAM), METADATA_TYPE, SCAVENGES_METADATA),
        ]
    )


def _append(stream: str, type_: str, data: bytes) -> WriteRequest:
    return WriteRequest(Kind.APPEND, stream, NO_STREAM, [json_event(type_, data)], on_done=lambda outcome: None)


def _first_epoch() -> bytes:
    document = {
        "epochPosition": FIRST_POSITION,
        "epochNumber": 0,
        "epochId": str(uuid4()),
        "prevEpochPosition": -1,
        "timeStamp": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "leaderInstanceId": str(uuid4()),
    }
    return json.dumps(document, indent=2).encode()
