"""The log once more, for some keys: all of it from a position on, or single events."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted
from subscriptions.consumer import Batch, EventGone, EventRef, Step, restricted
from subscriptions.decoding import decode_batch
from subscriptions.following.follower import Follower
from subscriptions.parking.set_aside import SetAside
from subscriptions.ports import EventLog

_EVENTS_AT_ONCE = 1000
_READS_AT_ONCE = 16


class FollowersPast:
    """See subscriptions.consumer.PastEvents. What is parked or discarded by now is set aside again or left out, as when
    it came first. Every method raises what the stores raise."""

    def __init__(self, follower: Follower, event_log: EventLog, codec: EventCodec) -> None:
        self._follower = follower
        self._log = event_log
        self._codec = codec

    async def history(self, keys: Collection[str], after: int | None = None) -> AsyncIterator[Batch]:
        set_aside = SetAside(self._follower.parking)
        async for events in self._log_in_chunks(after):
            yield await self._batch(events, keys, set_aside)
        await set_aside.record(self._follower.store)

    async def reread(self, events: Sequence[EventRef], keys: Collection[str]) -> AsyncIterator[Batch]:
        set_aside = SetAside(self._follower.parking)
        for some in _portions(events, _EVENTS_AT_ONCE):
            found: list[StoredEvent] = []
            for few in _portions(some, _READS_AT_ONCE):
                found += await asyncio.gather(*map(self._one, few))
            yield await self._batch(found, keys, set_aside)
        await set_aside.record(self._follower.store)

    async def steps(self, events: Sequence[StoredEvent], set_aside: SetAside) -> list[Step]:
        """Those of the events that the consumer takes, for all keys of the follower's assignment."""
        decoded = await decode_batch(self._codec, events, 0, caught_up=False)
        return self._follower.selection.select(decoded.events, -1, set_aside)

    async def _batch(self, events: Sequence[StoredEvent], keys: Collection[str], set_aside: SetAside) -> Batch:
        return Batch(restricted(await self.steps(events, set_aside), keys), self._follower.parking, set_aside)

    async def _one(self, event: EventRef) -> StoredEvent:
        try:
            found = await self._log.read_stream(event.stream, event.revision, 1)
        except StreamDeleted:
            found = []
        if not found or found[0].position != event.position:
            raise EventGone(f"the event at {event.position} is no longer in {event.stream}")
        return found[0]

    async def _log_in_chunks(self, after: int | None) -> AsyncIterator[list[StoredEvent]]:
        chunk: list[StoredEvent] = []
        async for event in self._log.read_all(after):
            if event.position > self._follower.handled:
                break
            chunk.append(event)
            if len(chunk) >= _EVENTS_AT_ONCE:
                yield chunk
                chunk = []
        yield chunk


def _portions(events: Sequence[EventRef], number: int) -> Iterator[Sequence[EventRef]]:
    return (events[start : start + number] for start in range(0, len(events), number))
