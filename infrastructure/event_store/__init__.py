"""The event store; the only package that imports esdbclient."""

from infrastructure.event_store.errors import (
    AppendRefused,
    EventStoreUnavailable,
    InvalidPosition,
    StreamDeleted,
    WrongExpectedRevision,
)
from infrastructure.event_store.events import NO_STREAM, Appended, NewEvent, StoredEvent, StreamLimits
from infrastructure.event_store.store import EventStore
from infrastructure.event_store.subscription import Batch, Subscription

__all__ = [
    "NO_STREAM",
    "AppendRefused",
    "Appended",
    "Batch",
    "EventStore",
    "EventStoreUnavailable",
    "InvalidPosition",
    "NewEvent",
    "StoredEvent",
    "StreamDeleted",
    "StreamLimits",
    "Subscription",
    "WrongExpectedRevision",
]
