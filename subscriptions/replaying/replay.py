"""Replaying dead letters: a key's or a stream's parked events are handled in order, as if they had just come.

It runs in the process that has the partition, between two batches. The work is done first, the records of what was
replayed are removed after it: after a crash in between, a repeated replay finds the work done.
"""

from collections.abc import AsyncIterator, Sequence

import structlog
from msgspec import Struct

from domain.model.personal import without_personal
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import METADATA_TYPE, TOMBSTONE_TYPE, EventStoreUnavailable, StoredEvent, StreamDeleted
from subscriptions.consumer import Batch, LateBatch, Step
from subscriptions.decoding import Incoming, decode_batch
from subscriptions.errors import Stopping
from subscriptions.following.follower import Follower
from subscriptions.parking.parked_events import ParkedEvent, describe
from subscriptions.parking.resolving import parked_records, resolve
from subscriptions.parking.set_aside import SetAside
from subscriptions.ports import EventLog
from subscriptions.replaying.past_events import FollowersPast
from subscriptions.replaying.requests import ReplayedKey, ReplayRequest

log = structlog.get_logger(__name__)

_EVENTS_TOGETHER = 10_000
"""Streams are replayed together up to about so many events, which are in memory meanwhile."""


class _StreamPart(Struct, frozen=True):
    """One process's part of a stream's replay: the events that it can handle now, and what comes of it."""

    events: list[StoredEvent]
    outcome: ReplayedKey


async def replay_part(
    follower: Follower, event_log: EventLog, codec: EventCodec, request: ReplayRequest
) -> tuple[list[ReplayedKey], str | None]:
    """One process's part of a request: each key of its own is replayed, one after another, between two batches.

    Returns the outcome of each key, and the error that ended the replay early, if there was one. Raises Stopping.
    """
    if follower.broken is not None:
        return [], f"the consumer is stopped: {follower.broken}"
    replayed: list[ReplayedKey] = []
    async with follower.gate:
        try:
            await follower.check_log(event_log, {})
        except EventStoreUnavailable as error:
            return [], describe(error)
        if follower.place.missing is not None:
            return [], str(follower.place.missing)
        replay = Replay(follower, event_log, codec)
        try:
            for key in follower.assignment.of(tuple(request.keys)):
                replayed.append(await replay.key(key))
            async for outcome in replay.streams(request.streams):
                replayed.append(outcome)
        except Stopping:
            raise
        except Exception as error:
            log.exception("a replay failed", consumer=request.consumer)
            return replayed, describe(error)
    return replayed, None


class Replay:
    """The replays of one follower. Every method raises what the stores and the consumer raise; then nothing is lost,
    because the records of what was parked are still there."""

    def __init__(self, follower: Follower, event_log: EventLog, codec: EventCodec) -> None:
        self._follower = follower
        self._parking = follower.parking
        self._log = event_log
        self._codec = codec

    async def key(self, key: str) -> ReplayedKey:
        """Replays what is parked for one key, which must be of the follower's assignment; removes the records."""
        follower, parking = self._follower, self._parking
        records = await self._prepare("key", key)
        events = [await self._event(record) for record in records]
        steps = [Step(one.stored, one.recorded, (key,)) for one in events if one.recorded is not None]
        unreadable = next((one for one in events if one.recorded is None and not self._left_out(one, key)), None)
        if unreadable is not None:
            steps = [step for step in steps if step.stored.position < unreadable.stored.position]
        since = parking.free_key(key)
        set_aside = SetAside(parking)
        try:
            await follower.consumer.take(Batch(steps, parking, set_aside))
        except BaseException:
            if since is not None:
                parking.add_key(key, since)
            raise
        first = min((event.position for event in set_aside.events()), default=None)
        error = next((event.error for event in set_aside.events()), None)
        if first is None and unreadable is not None:
            first, error = unreadable.stored.position, unreadable.fault
            parking.add_key(key, first)
        await resolve(follower.store, records, parking.discards, first, error)
        await parking.recount(follower.store)
        return ReplayedKey("key", key, _before(first, records), first, error)

    async def streams(self, streams: Sequence[str]) -> AsyncIterator[ReplayedKey]:
        """Replays what is parked for some streams, for those keys that are of the follower's assignment; many streams
        together, so that a document that concerns several of them is done with once.

        Other processes may have other keys of them, so the process that asked for the replay removes the records.
        """
        parts: list[_StreamPart] = []
        for stream in streams:
            parts.append(await self._part(stream))
            if sum(len(part.events) for part in parts) >= _EVENTS_TOGETHER:
                await self._replay_parts(parts)
                for part in parts:
                    yield part.outcome
                parts = []
        await self._replay_parts(parts)
        for part in parts:
            yield part.outcome

    async def _part(self, stream: str) -> "_StreamPart":
        records = await self._prepare("stream", stream)
        readable: list[StoredEvent] = []
        for record in records:
            incoming = await self._event(record)
            if self._parking.discards.whole(incoming.stored.position):
                continue
            error = self._why_unusable(incoming)
            if error is not None:
                first = incoming.stored.position
                outcome = ReplayedKey("stream", stream, _before(first, records), first, error)
                return _StreamPart(readable, outcome)
            # What the follower has not come to yet will come by itself, after what stands before it.
            if incoming.stored.position <= self._follower.handled:
                readable.append(incoming.stored)
        return _StreamPart(readable, ReplayedKey("stream", stream, len(records)))

    async def _replay_parts(self, parts: Sequence["_StreamPart"]) -> None:
        parking = self._parking
        since = {part.outcome.key: parking.free_stream(part.outcome.key) for part in parts}
        for part in parts:
            if part.outcome.upto is not None:
                parking.add_stream(part.outcome.key, part.outcome.upto)
        events = sorted((event for part in parts for event in part.events), key=lambda event: event.position)
        try:
            await self._take_late(events)
        except BaseException:
            for stream, position in since.items():
                if position is not None:
                    parking.free_stream(stream)
                    parking.add_stream(stream, position)
            raise

    async def _take_late(self, events: Sequence[StoredEvent]) -> None:
        set_aside = SetAside(self._parking)
        past = FollowersPast(self._follower, self._log, self._codec)
        steps = await past.steps(events, set_aside)
        if steps:
            batch = LateBatch(steps, self._parking, set_aside, self._follower.handled, past)
            await self._follower.consumer.take_late(batch)
        await set_aside.record(self._follower.store)

    def _why_unusable(self, incoming: Incoming) -> str | None:
        """Why the keys of an event can't be found; None when they can."""
        if incoming.recorded is None:
            return incoming.fault
        consumer, event = self._follower.consumer, incoming.recorded.event
        try:
            if type(event) in consumer.events:
                consumer.keys(event)
        except Exception as error:
            return without_personal(describe(error), event)
        return None

    async def _event(self, record: ParkedEvent) -> Incoming:
        if record.event_type in (METADATA_TYPE, TOMBSTONE_TYPE):
            # It stands in another stream, or can't be read any more; the record says all that it says.
            place = (record.stream, record.revision, record.position, record.recorded_at)
            told = StoredEvent("", record.event_type, *place, record.data.encode(), b"")
            return (await decode_batch(self._codec, [told], record.position, caught_up=False)).events[0]
        try:
            found = await self._log.read_stream(record.stream, record.revision, 1)
        except StreamDeleted:
            found = []
        if not found or found[0].position != record.position or record.event not in ("", found[0].id):
            gone = StoredEvent("", record.event_type, record.stream, record.revision, record.position, 0, b"", b"")
            return Incoming(gone, None, "the event is no longer in its stream; it can only be discarded")
        return (await decode_batch(self._codec, found, record.position, caught_up=False)).events[0]

    def _left_out(self, incoming: Incoming, key: str) -> bool:
        return self._parking.discards.of_key(incoming.stored.position, key)

    async def _prepare(self, kind: str, key: str) -> list[ParkedEvent]:
        """What is parked for the key; also loads what has been discarded since."""
        follower = self._follower
        await self._parking.refresh_discards(follower.store)
        return await parked_records(follower.store, follower.target, kind, key)


def _before(first: int | None, records: Sequence[ParkedEvent]) -> int:
    return sum(first is None or record.position < first for record in records)
