"""Requests to the writer, and what can come of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from embedded.event_store_node.log.events import ProposedEvent


class Kind(Enum):
    APPEND = auto()
    DELETE = auto()
    TOMBSTONE = auto()


@dataclass(frozen=True, slots=True)
class Appended:
    """Committed. `revision` is -1 when the stream is still empty; `position` is that of the last event."""

    revision: int
    position: int


@dataclass(frozen=True, slots=True)
class WrongVersion:
    """Refused: the stream's last revision is `current` (-1: none)."""

    current: int


@dataclass(frozen=True, slots=True)
class StreamDeleted:
    """Refused: the stream is deleted."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """Refused: its deadline was over before its turn came; nothing was written."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The storage failed; nothing was written."""

    reason: str


Outcome = Appended | WrongVersion | StreamDeleted | DeadlinePassed | Failed


@dataclass(slots=True)
class WriteRequest:
    """
    One atomic write. `deadline` is in seconds of `time.monotonic()`; `on_done` is called on the event loop,
    once, after the commit.
    """

    kind: Kind
    stream: str
    expected: int
    events: Sequence[ProposedEvent]
    on_done: Callable[[Outcome], None]
    deadline: float | None = None
    size: int = 0
