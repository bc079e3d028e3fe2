"""A toy consumer: counts the events of the tiny domain by type. A lamp of 999 watts is poison to it.

`python -m tests.subscriptions.event_counts` runs it as a process, as `eventfold consumers` runs a team's own.
"""

import sys
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain.model.recorded_event import RecordedEvent
from infrastructure.outside.calls import Calls
from infrastructure.read_store import ReadStore, Write
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_each
from subscriptions.main import main
from tests.support.tiny import TINY

COUNTS = "event_counts"
POISON_WATTS = 999


class EventCount(Struct, frozen=True):
    """So many events of a type have come."""

    event_type: str
    count: int


class EventCounts(Consumer):
    """The position of a count guards it, so that a batch that comes again changes nothing."""

    name = "event_counts"
    version = 1
    events = frozenset(event_type.struct for aggregate in TINY.aggregates for event_type in aggregate.events)

    def __init__(self, store: ReadStore, _calls: Calls) -> None:
        self._store = store

    def keys(self, event: Any) -> tuple[str, ...]:
        return (type(event).__name__,)

    async def prepare(self) -> None:
        await self._store.prepare(COUNTS, EventCount, ())

    async def take(self, batch: Batch) -> None:
        await take_each(batch, self._count)

    async def _count(self, recorded: RecordedEvent[Any], key: str) -> None:
        if getattr(recorded.event, "watts", 0) == POISON_WATTS:
            raise ValueError(f"{POISON_WATTS} watts would melt the socket")
        stored = (await self._store.load(COUNTS, [key])).get(key)
        if stored is not None and stored.position >= recorded.position:
            return
        count = 0 if stored is None or stored.fields is None else stored.fields["count"]
        await self._store.write(COUNTS, [Write(key, recorded.position, {"event_type": key, "count": count + 1})])


if __name__ == "__main__":
    sys.exit(main(replace(TINY, consumers=(EventCounts,))))
