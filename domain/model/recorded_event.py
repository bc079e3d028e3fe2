"""An event as it is recorded in the log."""

from typing import Generic, TypeVar

from msgspec import Struct

E = TypeVar("E")


class RecordedEvent(Struct, Generic[E], frozen=True, gc=False):
    """A decoded event with its place in the log.

    `revision` counts from 0 within the stream; `position` is the commit position in `$all`, monotonic with gaps;
    `recorded_at` is when the store wrote it, in epoch milliseconds.
    """

    event: E
    stream: str
    revision: int
    position: int
    recorded_at: int
