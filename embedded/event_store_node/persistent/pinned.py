"""The pinned strategies: what belongs together goes to the same consumer, as long as that one stays."""

import json
import math
import zlib
from collections.abc import Callable

from embedded.event_store_node.log.events import LINK_TYPE
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.persistent.buffers import Push
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.message import Message

BUCKETS = 1024


class Pinned:
    """Hashes a key of each message into buckets; each bucket is bound to a consumer at its first message."""

    def __init__(self, key_of: Callable[[Message], str]) -> None:
        self._key_of = key_of
        self._owners: list[Consumer | None] = [None] * BUCKETS
        self._in_flight = [0] * BUCKETS
        self._bucket_counts: dict[Consumer, int] = {}

    def add(self, consumer: Consumer) -> None:
        """Take buckets from consumers that have more than their share, those without messages in flight first."""
        self._bucket_counts[consumer] = 0
        share = math.ceil(sum(self._bucket_counts.values()) / len(self._bucket_counts))
        for other, count in list(self._bucket_counts.items()):
            if count <= share:
                continue
            buckets = [bucket for bucket, owner in enumerate(self._owners) if owner is other]
            buckets.sort(key=self._in_flight.__getitem__)
            for bucket in buckets[: count - share]:
                self._bind(bucket, consumer)

    def remove(self, consumer: Consumer) -> None:
        for bucket, owner in enumerate(self._owners):
            if owner is consumer:
                self._owners[bucket] = None
                self._in_flight[bucket] = 0
        del self._bucket_counts[consumer]

    def push(self, message: Message) -> Push:
        if not any(consumer.has_room for consumer in self._bucket_counts):
            return Push.FULL
        if message.bucket is None:
            message.bucket = zlib.crc32(self._key_of(message).encode()) % BUCKETS
        owner = self._owners[message.bucket]
        if owner is None:
            owner = min(self._bucket_counts, key=self._bucket_counts.__getitem__)
            self._bind(message.bucket, owner)
        if not owner.has_room:
            return Push.SKIPPED
        owner.push(message)
        self._in_flight[message.bucket] += 1
        return Push.SENT

    def released(self, message: Message) -> None:
        if message.bucket is not None and self._owners[message.bucket] is message.consumer:
            self._in_flight[message.bucket] -= 1

    def _bind(self, bucket: int, consumer: Consumer) -> None:
        owner = self._owners[bucket]
        if owner is not None:
            self._bucket_counts[owner] -= 1
        self._owners[bucket] = consumer
        self._in_flight[bucket] = 0
        self._bucket_counts[consumer] += 1


def stream_of(message: Message) -> str:
    """The stream in which the event was written first; a link names it, resolved or not."""
    event = message.target or message.original
    if event.type != LINK_TYPE:
        return event.stream
    data = RecordedEvent.FromString(event.record).data.decode(errors="replace")
    return data.partition("@")[2] or data


def correlation_of(message: Message) -> str:
    """The `$correlationId` of the event's JSON metadata; the stream, if there is none."""
    event = message.target or message.original
    try:
        metadata = json.loads(RecordedEvent.FromString(event.record).custom_metadata or b"null")
    except (ValueError, RecursionError):
        metadata = None
    correlation = metadata.get("$correlationId") if isinstance(metadata, dict) else None
    return correlation if isinstance(correlation, str) else stream_of(message)
