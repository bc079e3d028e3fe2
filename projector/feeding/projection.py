"""One view's way through the log: keys, fold, guarded write, parked events, batch after batch."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog

from infrastructure.read_store import UnsafeForReadStore, Write
from projector import metrics
from projector.dead_letters.parked_events import COLLECTION as PARKED_EVENTS
from projector.dead_letters.parking import ParkedOfBatch, Parking
from projector.errors import ViewBroken
from projector.feeding.checkpoint_writer import CheckpointWriter
from projector.feeding.inbox import Inbox
from projector.feeding.rate import Rate
from projector.folding.decoding import DecodedBatch
from projector.folding.document_cache import ABSENT, DocumentCache, Known
from projector.folding.documents import known_from, write_of
from projector.folding.folder import Folder, Step, park_keys, restricted
from projector.folding.share import Share
from projector.patience import PatientStore
from read_models.model.view import View

log = structlog.get_logger(__name__)

# Another writer can get ahead again between our read and our write; each time it has folded more, so this is plenty.
_MOST_ROUNDS = 100


class Projection:
    """Folds the log into one share of a build's documents. `capacity` bounds the documents kept in memory. Nothing
    after the position `limit` is folded, if there is one.

    `position` is that of its checkpoint, None before the first; `folded` is that of its documents, `delivered` the last
    position that has come into its inbox; -1 is before the first event. `events` counts what it has considered since
    the build began.
    """

    def __init__(
        self,
        view: View,
        share: Share,
        store: PatientStore,
        checkpoints: CheckpointWriter,
        *,
        capacity: int,
        buffer: int,
        failure_limit: int,
        limit: int | None = None,
    ) -> None:
        self.view = view
        self.limit = limit
        self.view_name = view.name
        self.share = share
        self.store = store
        self.inbox = Inbox(buffer)
        self.position: int | None = None
        self.delivered = -1
        self.events = 0
        self.rate = Rate()
        self.behind_since: int | None = None
        self.broken: str | None = None
        self.parking = Parking(view, share.build.collection)
        self.gate = asyncio.Lock()
        self.folder = Folder(view, share, self.parking, failure_limit)
        self._checkpoints = checkpoints
        self._failure_limit = failure_limit
        self._cache = DocumentCache(capacity)
        self.folded = -1

    @property
    def collection(self) -> str:
        """Where its documents are."""
        return self.share.build.collection

    @property
    def is_level(self) -> bool:
        """Whether all that has come to it is folded, written, and in its checkpoint."""
        return (-1 if self.position is None else self.position) >= self.delivered

    async def start(self) -> None:
        """Reads back where an earlier run left off."""
        await self.store.prepare(self.collection, self.view.document, self.view.indexes)
        await self.parking.load(self.store)
        held = await self._checkpoints.load(self.share)
        positions = [self.share.build.base if one is None else one.position for one in held.values()]
        self.folded = self.delivered = min(positions)
        self.position = None if self.folded < 0 else self.folded
        self.events = min((0 if one is None or one.fields is None else one.fields["events"]) for one in held.values())

    def deliver(self, batch: DecodedBatch) -> None:
        """Takes a batch in; what it has had already is left out."""
        position = batch.position if self.limit is None else min(batch.position, self.limit)
        if position < self.delivered or self.delivered == self.limit:
            return
        events, considered = batch.events, batch.considered
        if events and (events[0].stored.position <= self.delivered or events[-1].stored.position > position):
            events = [one for one in events if self.delivered < one.stored.position <= position]
            considered = len(events)
        if self.behind_since is None and events:
            self.behind_since = events[0].stored.recorded_at
        self.delivered = position
        self.inbox.put(DecodedBatch(events, position, batch.caught_up, considered))

    async def run(self) -> None:
        """Folds what is delivered, until the view's own fault stops it. Raises Stopping; a batch that was begun is
        finished when the store lets it."""
        stopping = asyncio.ensure_future(self.store.stopping())
        try:
            while self.broken is None:
                coming = asyncio.ensure_future(self.inbox.take())
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    coming.cancel()
                    return
                async with self.gate:
                    await self._take(coming.result())
        finally:
            stopping.cancel()
            self.inbox.abandon()

    async def _take(self, batch: DecodedBatch) -> None:
        """Brings the documents up to the batch's position, or stops the view when its own fault is in the way."""
        try:
            await self._project(batch, self.folded)
        except ViewBroken as error:
            self.broken = str(error)
            log.critical("view stopped: its fault is not one event's", view=self.view.name, error=self.broken)
            return
        self.events += batch.considered
        self.rate.count(batch.considered)
        if batch.position > self.folded:
            self.folded = batch.position
            self._checkpoints.note(self, batch.position)
        self.behind_since = None if self.inbox.is_empty else self.behind_since

    def arrived(self, position: int) -> None:
        """The checkpoint stands at `position`."""
        self.position = position

    async def apply(self, steps: Sequence[Step], known: dict[str, Known], parked: ParkedOfBatch) -> None:
        """Folds steps into the documents known, and writes what has changed; what fails is added to `parked`."""
        with metrics.FOLD_SECONDS.labels(self.view.name).time():
            changed = self.folder.fold(steps, known, parked)
        with metrics.WRITE_SECONDS.labels(self.view.name).time():
            await self._write(steps, known, changed, parked)
        metrics.EVENTS.labels(self.view.name).inc(len(steps))

    async def known_from_store(self, keys: Sequence[str]) -> dict[str, Known]:
        """The documents of those keys as the store holds them."""
        return await self._load(keys) if keys else {}

    def forget(self, keys: Iterable[str]) -> None:
        """Documents that were written by other hands than this projection's: the store is to be asked for them."""
        self._cache.forget(keys)

    async def recount(self) -> None:
        """Counts the dead letters again, after some were replayed or discarded."""
        self.parking.count = await self.store.count(PARKED_EVENTS, {"collection": self.collection})

    async def _project(self, batch: DecodedBatch, after: int) -> None:
        parked = ParkedOfBatch(self.parking)
        steps = self.folder.select(batch.events, after, parked)
        await self.apply(steps, await self._known(steps), parked)
        await self.record_parked(parked)

    async def _known(self, steps: Sequence[Step]) -> dict[str, Known]:
        """Every document that the steps touch, from memory or in one read."""
        known: dict[str, Known] = {}
        missing: list[str] = []
        firsts = self.view.per_stream
        for step in steps:
            for key in step.keys:
                if key in known:
                    continue
                found = self._cache.get(key)
                if found is None and firsts and step.recorded.revision == 0:
                    found = ABSENT  # and if the store knows better, it refuses the insert
                if found is None:
                    missing.append(key)
                    found = ABSENT
                known[key] = found
        if missing:
            known.update(await self._load(missing))
        return known

    async def _load(self, keys: Iterable[str]) -> dict[str, Known]:
        wanted = list(keys)
        metrics.LOADED.labels(self.view.name).inc(len(wanted))
        found = await self.store.load(self.collection, wanted)
        return {key: known_from(self.view, key, found.get(key)) for key in wanted}

    async def _write(
        self, steps: Sequence[Step], known: dict[str, Known], changed: dict[str, Known], parked: ParkedOfBatch
    ) -> None:
        """Writes what has changed. Where the store is ahead of us, the fold is done again on what it holds."""
        for _ in range(_MOST_ROUNDS):
            writes = [write_of(key, one) for key, one in changed.items()]
            refused = await self._write_all(writes, steps, known, parked) if writes else frozenset[str]()
            written = {key: Known(one.position, one.document) for key, one in changed.items() if key not in refused}
            self._cache.keep({**known, **written})
            if not refused:
                return
            metrics.REFUSED.labels(self.view.name).inc(len(refused))
            steps, known = restricted(steps, refused), await self._load(refused)
            changed = self.folder.fold(steps, known, parked)
        raise ViewBroken(f"the read store refuses writes to {self.collection} without holding anything newer")

    async def _write_all(
        self, writes: Sequence[Write], steps: Sequence[Step], known: Mapping[str, Known], parked: ParkedOfBatch
    ) -> frozenset[str]:
        metrics.DOCUMENTS.labels(self.view.name).inc(len(writes))
        try:
            return await self.store.write(self.collection, writes)
        except UnsafeForReadStore:
            return await self._write_singly(writes, steps, known, parked)

    async def _write_singly(
        self, writes: Sequence[Write], steps: Sequence[Step], known: Mapping[str, Known], parked: ParkedOfBatch
    ) -> frozenset[str]:
        """Finds the documents that no store can hold (a number too large, a document too long) and parks their keys.

        Raises ViewBroken when that is all of them, and many.
        """
        refused: set[str] = set()
        errors: dict[str, str] = {}
        for write in writes:
            try:
                refused |= await self.store.write(self.collection, [write])
            except UnsafeForReadStore as error:
                errors[write.key] = f"the document can't be stored: {error}"
        if len(errors) == len(writes) >= self._failure_limit:
            raise ViewBroken(f"none of {len(writes)} documents can be stored: {errors[writes[0].key]}")
        park_keys(steps, known, errors, parked)
        # They are read and folded again like refused ones: being parked by now, they come out unchanged.
        return frozenset(refused | errors.keys())

    async def record_parked(self, parked: ParkedOfBatch) -> None:
        """Keeps a record of every event that was set aside."""
        events, writes = parked.events(), parked.writes()
        if not events:
            return
        known_before = await self.store.write(PARKED_EVENTS, writes)
        for event, write in zip(events, writes, strict=True):
            if write.key not in known_before:
                self.parking.count += 1
                log.error(
                    "event parked",
                    view=event.view,
                    kind=event.kind,
                    key=event.key,
                    stream=event.stream,
                    revision=event.revision,
                    position=event.position,
                    event_type=event.event_type,
                    error=event.error,
                )
