"""Where a follower is in the log, and what it knows of the log up to there."""

import asyncio
from collections.abc import Sequence

from infrastructure.checkpoints import NO_TRAIL, Missing, Target, Trail
from infrastructure.checkpoints.anchors import advanced, last_event
from infrastructure.checkpoints.log_check import LogReads, marks_of, missing_from, trail_at, unseen_event
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import StoredDocument

Found = dict[Trail, Missing | None]
"""What has been found out of trails; followers of one feed often have the same."""


class Place:
    """`delivered` is the position up to which everything has been received, `trail` the log up to there.

    `missing` says, once it is known, that the log is another one; `lost` is set then.
    """

    def __init__(self) -> None:
        self.delivered = -1
        self.trail: Trail = NO_TRAIL
        self.missing: Missing | None = None
        self.lost = asyncio.Event()
        self._ahead: dict[Trail, int] = {}

    @property
    def last_event(self) -> int:
        """The position of the last event received; there is none from there to `delivered`."""
        return last_event(self.trail)

    def load(self, target: Target, keys: Sequence[str], found: dict[str, StoredDocument]) -> None:
        """Begins where the partition is that is furthest behind; the others' checkpoints must be in the log too."""
        marks = sorted(marks_of(target, found, keys), key=_position)
        self.delivered, self.trail = marks[0]
        self._ahead = {trail: position for position, trail in marks if trail != self.trail}

    def advance(self, position: int, events: Sequence[StoredEvent]) -> None:
        """Everything up to `position` has been received: these events, and no other after those before."""
        self.delivered, self.trail = position, advanced(self.trail, events)
        self._ahead = {trail: at for trail, at in self._ahead.items() if at > position}

    def check_seen(self, events: Sequence[StoredEvent]) -> None:
        """Compares events that have come with what was received before: none can be new below `delivered`."""
        for event in events:
            if self.last_event < event.position <= self.delivered and not event.is_of_the_store:
                self.lose(unseen_event(event, self.delivered))
                return

    async def check(self, log: LogReads, found: Found) -> None:
        """Makes sure that the log is the one that was followed; a place without a trail is given one.

        `found` is added to. Raises EventStoreUnavailable.
        """
        if not self.trail and self.delivered >= 0:
            self.trail = await trail_at(log, self.delivered)
        for trail in (self.trail, *self._ahead):
            if trail not in found:
                found[trail] = await missing_from(log, trail)
            missing = found[trail]
            if missing is not None:
                self.lose(missing)
                return

    def lose(self, missing: Missing) -> None:
        """The log is another one."""
        self.missing = missing
        self.lost.set()


def _position(mark: tuple[int, Trail]) -> int:
    return mark[0]
