"""The event store; the only package that imports esdbclient."""

from infrastructure.event_store.errors import (
    AppendRefused,
    EventStoreUnavailable,
    InvalidPosition,
    StreamDeleted,
    WrongExpectedRevision,
)
from infrastructure.event_store.events import (
    ANY_REVISION,
    NO_STREAM,
    Appended,
    NewEvent,
    StoredEvent,
    StreamSlice,
)
from infrastructure.event_store.store import EventStore
from infrastructure.event_store.stream_metadata import (
    DELETED,
    METADATA_TYPE,
    TOMBSTONE_TYPE,
    StreamMetadata,
    metadata_stream,
)
from infrastructure.event_store.subscription import Batch, Subscription

__all__ = [
    "ANY_REVISION",
    "DELETED",
    "METADATA_TYPE",
    "NO_STREAM",
    "TOMBSTONE_TYPE",
    "AppendRefused",
    "Appended",
    "Batch",
    "EventStore",
    "EventStoreUnavailable",
    "InvalidPosition",
    "NewEvent",
    "StoredEvent",
    "StreamDeleted",
    "StreamMetadata",
    "StreamSlice",
    "Subscription",
    "WrongExpectedRevision",
    "metadata_stream",
]
