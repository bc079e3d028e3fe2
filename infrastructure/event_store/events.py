"""Events as they go into the event store and come out of it: encoded, with a type name."""

from msgspec import Struct

NO_STREAM = -1
"""The expected revision of a stream that must not exist yet."""

ANY_REVISION = -2
"""For what may be written whatever is there. A repeated append may then write it twice."""


class NewEvent(Struct, frozen=True, gc=False):
    """An event to be appended. `id` is a UUID; repeating an append with the same ids is idempotent."""

    id: str
    type: str
    data: bytes
    metadata: bytes


class StoredEvent(Struct, frozen=True, gc=False):
    """An event as it is stored in the log. `recorded_at` is in epoch milliseconds, by the store's clock."""

    id: str
    type: str
    stream: str
    revision: int
    position: int
    recorded_at: int
    data: bytes
    metadata: bytes

    @property
    def is_of_the_store(self) -> bool:
        """Whether the event store wrote it about a stream, such as that it was deleted."""
        return self.type.startswith("$")


class StreamSlice(Struct, frozen=True, gc=False):
    """Events of a stream, from a revision on or from the first that is still there. `found` is False when there is no
    such stream, or none any more; a stream of which everything has been cut off is found and has no events."""

    events: list[StoredEvent]
    found: bool


class Appended(Struct, frozen=True, gc=False):
    """Where an append left its stream: the last revision it wrote and the commit position of that event."""

    revision: int
    position: int
