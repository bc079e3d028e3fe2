"""Consumers that begin anew: from the log's first event, after the last one that both logs have, or at its end."""

import asyncio
from typing import Literal

from infrastructure.checkpoints import CHECKPOINTS, NO_TRAIL, Target, Trail
from infrastructure.checkpoints.anchors import last_event
from infrastructure.checkpoints.log_check import marks_of, shared_part, trail_at
from subscriptions.coordination.plain_workload import ConsumerRecords
from subscriptions.operating.replays import NoSuchConsumer
from subscriptions.ports import DocumentStore, EventLog

Beginning = Literal["start", "common", "end"]

_MOST_ATTEMPTS = 20


class NoSuchPosition(Exception):
    """The log has no event up to that position."""


class Resetting:
    """Of the consumers that have one target each; `changed` is set after each reset, so that this process sees it at
    once."""

    def __init__(self, store: DocumentStore, event_log: EventLog, changed: asyncio.Event) -> None:
        self._store = store
        self._log = event_log
        self._records = ConsumerRecords(store)
        self._changed = changed

    async def reset(self, consumer: str, beginning: Beginning | int) -> None:
        """Lets a consumer begin anew; its dead letters go, what it has discarded stays out.

        With "start" every event comes to it again, with "common" those after the last one known to be in this log and
        in that of its checkpoints, with "end" only those that are yet to be appended, with a position those
        after it. Raises NoSuchConsumer, NoSuchPosition, and whatever the stores raise.
        """
        for _ in range(_MOST_ATTEMPTS):
            found = await self._records.load()
            if consumer not in found:
                raise NoSuchConsumer(consumer, sorted(found))
            trail = await self._beginning(found[consumer].target, beginning)
            if await self._records.save(found[consumer].reset(last_event(trail), trail)):
                self._changed.set()
                return
        raise RuntimeError(f"the record of {consumer} changed {_MOST_ATTEMPTS} times while it was to be changed")

    async def _beginning(self, target: Target, beginning: Beginning | int) -> Trail:
        match beginning:
            case int(position):
                trail = await trail_at(self._log, position)
                if not trail:
                    raise NoSuchPosition(f"the log has no event at or before position {position}")
                return trail
            case "start":
                return NO_TRAIL
            case "end":
                end = await self._log.last_position()
                return NO_TRAIL if end is None else await trail_at(self._log, end)
            case "common":
                marks = marks_of(target, await self._store.load(CHECKPOINTS, target.keys))
                shared = [await shared_part(self._log, trail) for _, trail in marks]
                return min(shared, key=last_event)
