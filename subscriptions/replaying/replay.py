"""Replaying dead letters: a key's or a stream's parked events are handled in order, as if they had just come.

It runs in the process that has the partition, between two batches. The work is done first, the records of what was
replayed are removed after it: after a crash in between, a repeated replay finds the work done.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import structlog
from msgspec import Struct

from infrastructure.dead_letters.failure import Failure
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import METADATA_TYPE, TOMBSTONE_TYPE, EventStoreUnavailable, StoredEvent, StreamDeleted
from subscriptions.consumer import Batch, LateBatch
from subscriptions.decoding import Incoming, decode_batch
from subscriptions.errors import Stopping
from subscriptions.failures import event_failure, text_failure
from subscriptions.following.follower import Follower
from subscriptions.parking.parked_events import ParkedEvent, describe
from subscriptions.parking.resolving import records_of_keys, resolve
from subscriptions.parking.set_aside import SetAside
from subscriptions.ports import EventLog
from subscriptions.replaying.key_part import KeyPart, together
from subscriptions.replaying.past_events import FollowersPast
from subscriptions.replaying.requests import ReplayedKey, ReplayRequest

log = structlog.get_logger(__name__)

_EVENTS_TOGETHER = 10_000
"""Streams are replayed together up to about so many events, which are in memory meanwhile."""
_KEYS_TOGETHER = 50
_LONGEST_TOLD = 2_000
_STREAMS_A_QUERY = 100
_READS_AT_ONCE = 16
_GONE = "the event is no longer in its stream; it can only be discarded"


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
            async for outcome in replay.keys(follower.assignment.of(tuple(request.keys))):
                replayed.append(outcome)
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

    async def keys(self, keys: Sequence[str]) -> AsyncIterator[ReplayedKey]:
        """Replays what is parked for some keys, which must be of the follower's assignment, many together; removes the
        records."""
        # So few that their failures never count as the consumer's own: they have failed before.
        few = max(1, min(_KEYS_TOGETHER, self._parking.failure_limit - 1))
        for start in range(0, len(keys), few):
            for outcome in await self._keys_together(keys[start : start + few]):
                yield outcome

    async def _keys_together(self, keys: Sequence[str]) -> list[ReplayedKey]:
        follower, parking = self._follower, self._parking
        await parking.refresh_discards(follower.store)
        records = await self._records("key", keys)
        events = await self._events([one for some in records.values() for one in some])
        parts = [KeyPart(key, records[key], events, parking.discards) for key in keys]
        since = {key: parking.free_key(key) for key in keys}
        set_aside = SetAside(parking)
        try:
            await follower.consumer.take(Batch(together(parts), parking, set_aside))
        except BaseException:
            for key, position in since.items():
                if position is not None:
                    parking.free_key(key)
                    parking.add_key(key, position)
            raise
        outcomes = [await self._resolved(part, set_aside) for part in parts]
        await parking.recount(follower.store)
        return outcomes

    async def _resolved(self, part: KeyPart, set_aside: SetAside) -> ReplayedKey:
        parking, key = self._parking, part.key
        failed = [event for event in set_aside.events() if (event.kind, event.key) == ("key", key)]
        first, failure = (failed[0].position, failed[0].cause) if failed else (None, None)
        if first is None and part.unreadable is not None:
            first, failure = part.unreadable.stored.position, part.unreadable.fault
            parking.add_key(key, first)
            if failure is not None:
                parking.note_cause("key", key, failure)
        await resolve(self._follower.store, part.records, parking.discards, first, failure)
        return ReplayedKey("key", key, _before(first, part.records), first, *_told(failure))

    async def streams(self, streams: Sequence[str]) -> AsyncIterator[ReplayedKey]:
        """Replays what is parked for some streams, for those keys that are of the follower's assignment; many streams
        together, so that a document that concerns several of them is done with once.

        Other processes may have other keys of them, so the process that asked for the replay removes the records.
        """
        parts: list[_StreamPart] = []
        for start in range(0, len(streams), _STREAMS_A_QUERY):
            parts += await self._parts(streams[start : start + _STREAMS_A_QUERY])
            if sum(len(part.events) for part in parts) >= _EVENTS_TOGETHER:
                await self._replay_parts(parts)
                for part in parts:
                    yield part.outcome
                parts = []
        await self._replay_parts(parts)
        for part in parts:
            yield part.outcome

    async def _parts(self, streams: Sequence[str]) -> list["_StreamPart"]:
        await self._parking.refresh_discards(self._follower.store)
        records = await self._records("stream", streams)
        events = await self._events([one for some in records.values() for one in some])
        return [self._part(stream, records[stream], events) for stream in streams]

    def _part(self, stream: str, records: Sequence[ParkedEvent], events: Mapping[int, Incoming]) -> "_StreamPart":
        readable: list[StoredEvent] = []
        for record in records:
            incoming = events[record.position]
            if self._parking.discards.whole(incoming.stored.position):
                continue
            failure = self._why_unusable(incoming)
            if failure is not None:
                first = incoming.stored.position
                self._parking.note_cause("stream", stream, failure)
                outcome = ReplayedKey("stream", stream, _before(first, records), first, *_told(failure))
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

    def _why_unusable(self, incoming: Incoming) -> Failure | None:
        """Why the keys of an event can't be found; None when they can."""
        if incoming.recorded is None:
            return incoming.fault
        consumer, event = self._follower.consumer, incoming.recorded.event
        try:
            if type(event) in consumer.events:
                consumer.keys(event)
        except Exception as error:
            return event_failure(error, incoming.stored, event)
        return None

    async def _events(self, records: Sequence[ParkedEvent]) -> dict[int, Incoming]:
        """The events of the records, by position."""
        at = list({record.position: record for record in records}.values())
        found: dict[int, Incoming] = {}
        for start in range(0, len(at), _READS_AT_ONCE):
            for incoming in await asyncio.gather(*map(self._event, at[start : start + _READS_AT_ONCE])):
                found[incoming.stored.position] = incoming
        return found

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
            return Incoming(gone, None, text_failure(_GONE, gone))
        return (await decode_batch(self._codec, found, record.position, caught_up=False)).events[0]

    async def _records(self, kind: str, keys: Sequence[str]) -> dict[str, list[ParkedEvent]]:
        """What is parked for each of the keys or streams, in commit order."""
        found: dict[str, list[ParkedEvent]] = {key: [] for key in keys}
        async for record in records_of_keys(self._follower.store, self._follower.target, keys):
            if record.kind == kind:
                found[record.key].append(record)
        return found


def _told(failure: Failure | None) -> tuple[str | None, Failure | None]:
    """As it goes into a response, which is one document for all keys of a request."""
    if failure is None:
        return None, None
    cut = msgspec.structs.replace(failure, error=failure.error[:_LONGEST_TOLD])
    return cut.error, cut


def _before(first: int | None, records: Sequence[ParkedEvent]) -> int:
    return sum(first is None or record.position < first for record in records)
