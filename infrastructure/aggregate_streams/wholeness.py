"""Whether what is left of a stream gives the whole state: it may have been deleted, written again, or cut off."""

from collections.abc import Sequence
from typing import Protocol

from domain.model.aggregate import Aggregate
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted, StreamMetadata


class HistoryTruncated(Exception):
    """The beginning of the stream has been cut off. `first_version` is the first revision that is still there, None
    when none is."""

    def __init__(self, stream: str, first_version: int | None) -> None:
        left = "nothing of it is left" if first_version is None else f"the first version still there is {first_version}"
        super().__init__(f"the history of {stream} has been cut off: {left}")
        self.stream = stream
        self.first_version = first_version


class MetadataReads(Protocol):
    """See infrastructure.event_store.EventStore."""

    async def metadata_of(self, stream: str) -> StreamMetadata: ...


def begins(aggregate: Aggregate, codec: EventCodec, event: StoredEvent) -> bool:
    """Whether the state can be folded from this event on. Raises UnknownEventType."""
    if not aggregate.begins_with:
        return event.revision == 0
    return codec.struct_of(event) in aggregate.begins_with


def require_whole(aggregate: Aggregate, codec: EventCodec, stream: str, events: Sequence[StoredEvent]) -> None:
    """`events` are the first of a stream that was found. Raises HistoryTruncated, and as `begins`."""
    if not events:
        raise HistoryTruncated(stream, None)
    if not begins(aggregate, codec, events[0]):
        raise HistoryTruncated(stream, events[0].revision)


async def require_not_deleted(store: MetadataReads, stream: str) -> None:
    """For a stream that was not found: whether it was there once. Raises StreamDeleted."""
    if (await store.metadata_of(stream)).is_soft_deleted:
        raise StreamDeleted(stream)
