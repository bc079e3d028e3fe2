"""Logs of many small events, made through the storage layer itself: no server, no protocol."""

import random
from collections.abc import Iterator
from pathlib import Path

from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.events import ANY, JSON_CONTENT_TYPE, ProposedEvent
from embedded.event_store_node.log.log import Log
from embedded.event_store_node.log.writes import Kind, WriteRequest

DATA_BYTES = 200
_EVENTS_PER_WRITE = 10
_EVENTS_PER_BATCH = 10_000


def make_log(directory: Path, count: int, streams: int) -> None:
    """A data directory with `count` events, dealt out to `streams` streams in turns."""
    database = Database(directory)
    connection = database.connect(cache_mib=64)
    # Nothing is acknowledged to anybody before the end.
    connection.execute("PRAGMA synchronous = OFF")
    log = Log(connection)
    for batch in batches(count, streams):
        log.write(batch)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    database.close()


def stream_name(number: int) -> str:
    return f"order-{number}"


def batches(count: int, streams: int) -> Iterator[list[WriteRequest]]:
    """The same writes each time: events of 200 bytes, ten to a write."""
    randomness = random.Random(1)
    for start in range(0, count, _EVENTS_PER_BATCH):
        size = min(_EVENTS_PER_BATCH, count - start)
        yield [
            _write(randomness, (start + first) // _EVENTS_PER_WRITE % streams, min(_EVENTS_PER_WRITE, size - first))
            for first in range(0, size, _EVENTS_PER_WRITE)
        ]


def _write(randomness: random.Random, stream: int, size: int) -> WriteRequest:
    events = [
        ProposedEvent(
            randomness.randbytes(16), f"Type{n % 4}", JSON_CONTENT_TYPE, b"", randomness.randbytes(DATA_BYTES)
        )
        for n in range(size)
    ]
    return WriteRequest(Kind.APPEND, stream_name(stream), ANY, events, lambda outcome: None)
