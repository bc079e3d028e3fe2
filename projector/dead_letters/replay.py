"""Replaying dead letters: a document's or a stream's parked events are folded in order, as if they had just come.

It runs in the process that folds the documents, between two batches. Documents are written first, the records of what
was replayed are removed after them: after a crash in between, a repeated replay finds the documents done.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent, StreamDeleted
from projector.dead_letters.discarded_events import discards_of
from projector.dead_letters.parked_events import ParkedEvent
from projector.dead_letters.parking import ParkedOfBatch
from projector.dead_letters.settling import parked_records, settle
from projector.feeding.projection import Projection
from projector.folding.decoding import Incoming, decode_batch
from projector.folding.document_cache import ABSENT, Known
from projector.folding.documents import write_of
from projector.folding.folder import Step, describe
from projector.ports import EventLog

_EVENTS_AT_ONCE = 1000


class OtherWriter(Exception):
    """The documents have passed into other hands during a replay; it is to be repeated there."""


class Replayed(Struct, frozen=True):
    """What came of one key's replay in one process. `upto` is the position of the first event that is still parked
    (None: none is), for the reason `error`; `events` counts those replayed."""

    events: int
    upto: int | None
    error: str | None


class Replay:
    """The replays of one projection. Every method raises what the stores raise, and then nothing is lost: the records
    of what was parked are still there."""

    def __init__(self, projection: Projection, event_log: EventLog, codec: EventCodec) -> None:
        self._projection = projection
        self._parking = projection.parking
        self._log = event_log
        self._codec = codec

    async def document(self, key: str) -> Replayed:
        """Replays what is parked for one document, which must be of the projection's share; removes the records."""
        projection, parking = self._projection, self._parking
        records = await self._prepare("document", key)
        events = [await self._event(record) for record in records]
        steps = [
            Step(incoming.stored, incoming.recorded, (key,)) for incoming in events if incoming.recorded is not None
        ]
        unreadable = next((one for one in events if one.recorded is None and not self._left_out(one, key)), None)
        if unreadable is not None:
            steps = [step for step in steps if step.stored.position < unreadable.stored.position]
        since = parking.free_key(key)
        parked = ParkedOfBatch(parking)
        try:
            known = await projection.known_from_store([key])
            await projection.apply(steps, known, parked)
        except BaseException:
            if since is not None:
                parking.add_key(key, since)
            raise
        first = min((event.position for event in parked.events()), default=None)
        error = next((event.error for event in parked.events()), None)
        if first is None and unreadable is not None:
            first, error = unreadable.stored.position, unreadable.fault
            parking.add_key(key, first)
        await settle(projection.store, records, parking.discards, first, error)
        await projection.recount()
        return Replayed(_before(first, records), first, error)

    async def stream(self, stream: str) -> Replayed:
        """Replays what is parked for a stream, into those documents that are of the projection's share.

        Other processes may fold others of its documents, so the records are left: see projector.dead_letters.settling.
        """
        records = await self._prepare("stream", stream)
        readable: list[StoredEvent] = []
        first: int | None = None
        error: str | None = None
        affected: dict[str, int] = {}
        for record in records:
            incoming = await self._event(record)
            if self._parking.discards.whole(incoming.stored.position):
                continue
            keys, error = self._keys(incoming)
            if error is not None:
                first = incoming.stored.position
                break
            readable.append(incoming.stored)
            for key in keys:
                affected.setdefault(key, incoming.stored.position)
        since = self._parking.free_stream(stream)
        if first is not None:
            self._parking.add_stream(stream, first)
        try:
            await self._bring_up(readable, affected)
        except BaseException:
            if since is not None:
                self._parking.free_stream(stream)
                self._parking.add_stream(stream, since)
            raise
        return Replayed(_before(first, records), first, error)

    async def _bring_up(self, events: Sequence[StoredEvent], affected: Mapping[str, int]) -> None:
        """Folds a stream's events into the documents that they touch. A document that has meanwhile folded later
        events of other streams can't take them any more: it is folded afresh from the log."""
        known = await self._projection.known_from_store(list(affected))
        later = {key for key, position in affected.items() if known[key].position >= position}
        parked = ParkedOfBatch(self._parking)
        steps = self._steps(events, frozenset(affected.keys() - later), parked)
        await self._projection.apply(steps, {key: known[key] for key in affected.keys() - later}, parked)
        if later:
            await self._fold_afresh(later)
        await self._projection.record_parked(parked)

    async def _fold_afresh(self, keys: Collection[str]) -> None:
        """Replaces documents by what the whole log comes to, up to where the projection is."""
        projection, parked = self._projection, ParkedOfBatch(self._parking)
        stored = await projection.known_from_store(list(keys))
        known: dict[str, Known] = dict.fromkeys(keys, ABSENT)
        async for events in self._log_in_pieces():
            known |= projection.folder.fold(self._steps(events, frozenset(keys), parked), known, parked)
        projection.forget(keys)
        for key in keys:
            await self._replace(key, known[key], stored[key])
        await projection.record_parked(parked)

    async def _replace(self, key: str, known: Known, stored: Known) -> None:
        projection = self._projection
        if known is ABSENT:
            known = Known(stored.position, None)
        written = stored.position <= projection.folded and await projection.store.replace_exactly(
            projection.collection, write_of(key, known), stored.position
        )
        if not written:
            raise OtherWriter(f"{key} of {projection.collection} was written by another process meanwhile")

    async def _log_in_pieces(self) -> AsyncIterator[list[StoredEvent]]:
        piece: list[StoredEvent] = []
        async for event in self._log.read_all(None):
            if event.position > self._projection.folded:
                break
            piece.append(event)
            if len(piece) >= _EVENTS_AT_ONCE:
                yield piece
                piece = []
        yield piece

    def _steps(self, events: Iterable[StoredEvent], keys: frozenset[str], parked: ParkedOfBatch) -> list[Step]:
        decoded = decode_batch(self._codec, list(events), 0, caught_up=False)
        steps = self._projection.folder.select(decoded.events, -1, parked)
        few = [(step, tuple(key for key in step.keys if key in keys)) for step in steps]
        return [Step(step.stored, step.recorded, some) for step, some in few if some]

    def _keys(self, incoming: Incoming) -> tuple[tuple[str, ...], str | None]:
        """The documents of the share that an event touches, or why that can't be told."""
        view, share = self._projection.view, self._projection.share
        if incoming.recorded is None:
            return (), incoming.fault
        event = incoming.recorded.event
        try:
            return (share.of(view.keys(event)) if type(event) in view.events else ()), None
        except Exception as error:
            return (), describe(error)

    async def _event(self, record: ParkedEvent) -> Incoming:
        try:
            found = await self._log.read_stream(record.stream, record.revision, 1)
        except StreamDeleted:
            found = []
        if not found or found[0].position != record.position:
            gone = StoredEvent("", record.event_type, record.stream, record.revision, record.position, 0, b"", b"")
            return Incoming(gone, None, "the event is no longer in its stream; it can only be discarded")
        return decode_batch(self._codec, found, record.position, caught_up=False).events[0]

    def _left_out(self, incoming: Incoming, key: str) -> bool:
        return self._parking.discards.of_document(incoming.stored.position, key)

    async def _prepare(self, kind: str, key: str) -> list[ParkedEvent]:
        """What is parked for the key; and knows from here on what has been discarded."""
        store, view = self._projection.store, self._projection.view.name
        self._parking.discards = await discards_of(store, view)
        self._projection.folder.forget_failures()
        return await parked_records(store, self._projection.collection, kind, key)


def _before(first: int | None, records: Sequence[ParkedEvent]) -> int:
    return sum(first is None or record.position < first for record in records)
