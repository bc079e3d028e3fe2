"""The record of an event that is left out for good."""

import msgspec

from infrastructure.clock import now_millis
from infrastructure.read_store import Write
from subscriptions.parking.discarded_events import DiscardedEvent, discarded_write
from subscriptions.parking.parked_events import ParkedEvent, readable


def discarding(record: ParkedEvent, reason: str) -> Write:
    """The write that leaves the event out for its key."""
    event = DiscardedEvent(
        consumer=record.consumer,
        kind=record.kind,
        key=record.key,
        position=record.position,
        stream=record.stream,
        revision=record.revision,
        event_type=record.event_type,
        error=record.error,
        reason=readable(reason),
        discarded_at=now_millis(),
        event=record.event,
    )
    return discarded_write(event, msgspec.to_builtins(event))
