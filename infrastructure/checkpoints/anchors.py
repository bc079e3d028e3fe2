"""What a checkpoint remembers of the log that it was made on: a few of its events, each where it stands."""

from collections.abc import Sequence

from msgspec import Struct

from infrastructure.event_store import StoredEvent

# Beside the newest event and the first one, a trail keeps the first that was seen after each multiple of these
# positions (which are bytes): should a scavenge have removed the newest, one that is older is there.
_MILESTONES = (2**18, 2**24, 2**30)


class Anchor(Struct, frozen=True):
    """An event of the log, by its id (`event`), and where it stands: in the log, and in its stream."""

    position: int
    event: str
    stream: str
    revision: int


Trail = tuple[Anchor, ...]
"""Events of the log up to a position, the newest first: the last one before it, the first of all, and some between.
Empty where nothing of the log is known."""

NO_TRAIL: Trail = ()


def anchor_of(event: StoredEvent) -> Anchor:
    """Where the event stands."""
    return Anchor(event.position, event.id, event.stream, event.revision)


def advanced(trail: Trail, events: Sequence[StoredEvent]) -> Trail:
    """The trail after some more events, in commit order and after those that it has.

    What the store writes about streams is left out: it replaces that by itself, and its place is another stream's.
    """
    events = [event for event in events if not event.is_of_the_store]
    if not events:
        return trail
    newest = anchor_of(events[-1])
    first = trail[-1] if trail else anchor_of(events[0])
    milestones = [_milestone(trail, newest, apart) for apart in _MILESTONES]
    return tuple(sorted({newest, first, *milestones}, key=_position, reverse=True))


def last_event(trail: Trail) -> int:
    """The position of the newest event; -1 where none is known."""
    return trail[0].position if trail else -1


def _milestone(trail: Trail, newest: Anchor, apart: int) -> Anchor:
    """The first known event after the last multiple of `apart`, or else the newest before it."""
    begin = newest.position // apart * apart
    for anchor in reversed(trail):
        if anchor.position >= begin:
            return anchor
    return newest


def _position(anchor: Anchor) -> int:
    return anchor.position
