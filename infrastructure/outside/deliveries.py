"""What every way of delivering integration events has in common."""

from collections.abc import Iterator

from infrastructure.integration.cloud_event import CloudEvent

Lane = Iterator[CloudEvent]
"""Events that stay in order. It is asked for the next one exactly when the one before is acknowledged, and for no more
once one of them was not."""


class EventRefused(Exception):
    """The destination will never take this event; the message says what it answered."""
