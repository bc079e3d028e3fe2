"""A view as a consumer: keys, fold, guarded write, batch after batch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from infrastructure.read_store import UnsafeForReadStore, Write
from projector import metrics
from projector.folding.document_cache import ABSENT, CachedDocument, DocumentCache
from projector.folding.documents import cached_from, write_of
from projector.folding.fold import fold_batch
from projector.folding.undo import UndoLog, Undone
from read_models.model.view import View
from subscriptions.consumer import Batch, Consumer, EventGone, EventRef, LateBatch, Step
from subscriptions.errors import ConsumerBroken
from subscriptions.failures import text_failure
from subscriptions.spans import batch_span
from subscriptions.store.retrying_store import RetryingStore

# Of more events it is better to read the log, which gives about ten in the time of a single one.
_MOST_SINGLE_EVENTS = 2_000
# Another writer can get ahead again between our read and our write; each time it has folded more, so this is plenty.
_MOST_ROUNDS = 100

_UNKNOWN = Undone(ABSENT, None)


class OtherWriter(Exception):
    """Another process has taken the documents over during a replay; the replay must be repeated there."""


class ViewConsumer(Consumer):
    """Folds events into the documents of one build, which are in `collection`.

    `capacity` bounds the documents kept in memory. When no document of a batch can be stored, and there are
    at least `failure_limit`, the fault counts as the view's own.
    """

    def __init__(self, view: View, collection: str, store: RetryingStore, *, capacity: int, failure_limit: int) -> None:
        self.name = view.name
        self.version = view.version
        self.events: frozenset[type[Struct]] = view.followed
        # Asked for every event, so the view's own function stands in the method's place.
        self.keys = view.keys_of  # type: ignore[method-assign, assignment]
        self._view = view
        self._collection = collection
        self._store = store
        self._cache = DocumentCache(capacity)
        self._undo = UndoLog(view, collection, store)
        self._failure_limit = failure_limit

    def keys(self, event: Any) -> tuple[str, ...]:
        return self._view.keys_of(event)

    async def prepare(self) -> None:
        await self._store.prepare(self._collection, self._view.document, self._view.indexes)
        await self._undo.prepare()

    async def take(self, batch: Batch) -> None:
        with batch_span(self.name, batch.steps):
            await self._apply(batch, await self._cached(batch.steps))
            await self._undo.forget_resolved(batch)

    async def take_late(self, batch: LateBatch) -> None:
        """A document that has already folded later events of other streams can't take these any more: it goes back to
        before them and is folded again. Raises OtherWriter."""
        firsts: dict[str, int] = {}
        for step in batch.steps:
            for key in step.keys:
                firsts.setdefault(key, step.stored.position)
        documents = await self._load(firsts)
        later = {key for key, position in firsts.items() if documents[key].position >= position}
        await self._apply(batch.only(firsts.keys() - later), {key: documents[key] for key in firsts.keys() - later})
        from_log: dict[str, Undone] = {}
        for key in later:
            undone = await self._undo.undo(key, documents[key].position, firsts[key]) or _UNKNOWN
            if undone.events is None or len(undone.events) > _MOST_SINGLE_EVENTS:
                from_log[key] = undone
                continue
            try:
                await self._fold_again(batch, key, documents[key], undone)
            except EventGone:
                from_log[key] = _UNKNOWN
        if from_log:
            await self._fold_log_again(batch, documents, from_log)

    async def _fold_again(self, late: LateBatch, key: str, stored: CachedDocument, undone: Undone) -> None:
        """Replaces a document by a fold of what it has folded since it was `undone`, and of the late events. Raises
        EventGone."""
        events = {event.position: event for event in undone.events or ()}
        for step in late.steps:
            if key in step.keys:
                events[step.stored.position] = EventRef(step.stored.stream, step.stored.revision, step.stored.position)
        in_order = [events[position] for position in sorted(events)]
        folded = {key: undone.document}
        async for batch in late.past.reread(in_order, (key,)):
            folded |= fold_batch(self._view, batch, folded)
        await self._replace(key, undone.document, folded[key], stored, late.until)
        if late.streams_parked and folded[key].position > undone.document.position:
            await self._undo.replaced(key, undone.document, folded[key], in_order)

    async def _fold_log_again(
        self, late: LateBatch, stored: Mapping[str, CachedDocument], undone: Mapping[str, Undone]
    ) -> None:
        """Replaces documents by a fold of the log up to the consumer's position: from the position of the oldest that
        could be undone, or the whole of it, because nothing but the log knows what the others are made of."""
        folded = {key: one.document for key, one in undone.items()}
        first = min(one.position for one in folded.values())
        async for batch in late.past.history(folded.keys(), None if first < 0 else first):
            folded |= fold_batch(self._view, batch, folded)
        for key, one in undone.items():
            await self._replace(key, one.document, folded[key], stored[key], late.until)

    async def _replace(
        self, key: str, before: CachedDocument, folded: CachedDocument, stored: CachedDocument, until: int
    ) -> None:
        """Writes a document that was folded again from `before` on over the one that is stored."""
        self._cache.forget([key])
        # First, because what is recorded of it is not true of the new one; without a record it is read from the log.
        await self._undo.forget(key, above=before.position)
        if folded is ABSENT:
            folded = CachedDocument(stored.position, None)
        written = stored.position <= until and await self._store.replace_exactly(
            self._collection, write_of(key, folded), stored.position
        )
        if not written:
            raise OtherWriter(f"{key} of {self._collection} was written by another process meanwhile")

    async def _apply(self, batch: Batch, documents: dict[str, CachedDocument]) -> None:
        """Folds a batch into `documents` and writes those that changed. Where the store is ahead of us, the fold is
        done again on what it has."""
        refused: frozenset[str] = frozenset()
        for _ in range(_MOST_ROUNDS):
            with metrics.FOLD_SECONDS.labels(self.name).time():
                changed = fold_batch(self._view, batch, documents)
            with metrics.WRITE_SECONDS.labels(self.name).time():
                await self._undo.note(batch, changed, documents)
                writes = [write_of(key, one) for key, one in changed.items()]
                refused = await self._write(writes, batch, documents) if writes else frozenset()
            written = {key: one.written for key, one in changed.items() if key not in refused}
            self._cache.update({**documents, **written})
            if not refused:
                return
            metrics.REFUSED.labels(self.name).inc(len(refused))
            batch, documents = batch.only(refused), await self._load(refused)
        raise ConsumerBroken(f"the read store refuses writes to {self._collection} without having anything newer")

    async def _cached(self, steps: Sequence[Step]) -> dict[str, CachedDocument]:
        """Every document that the steps touch, from memory or in one read."""
        documents: dict[str, CachedDocument] = {}
        missing: list[str] = []
        cached, firsts = 0, self._view.per_stream
        for step in steps:
            for key in step.keys:
                if key in documents:
                    continue
                found = self._cache.get(key)
                cached += found is not None
                if found is None and firsts and step.recorded.revision == 0:
                    found = ABSENT  # if the store has one, it refuses the insert
                if found is None:
                    missing.append(key)
                    found = ABSENT
                documents[key] = found
        metrics.CACHED.labels(self.name).inc(cached)
        if missing:
            documents.update(await self._load(missing))
        return documents

    async def _load(self, keys: Iterable[str]) -> dict[str, CachedDocument]:
        missing = list(keys)
        if not missing:
            return {}
        metrics.LOADED.labels(self.name).inc(len(missing))
        found = await self._store.load(self._collection, missing)
        return {key: cached_from(self._view, self._collection, key, found.get(key)) for key in missing}

    async def _write(
        self, writes: Sequence[Write], batch: Batch, documents: Mapping[str, CachedDocument]
    ) -> frozenset[str]:
        metrics.DOCUMENTS.labels(self.name).inc(len(writes))
        try:
            return await self._store.write(self._collection, writes)
        except UnsafeForReadStore:
            return await self._write_singly(writes, batch, documents)

    async def _write_singly(
        self, writes: Sequence[Write], batch: Batch, documents: Mapping[str, CachedDocument]
    ) -> frozenset[str]:
        """Finds the documents that no store can hold (a number too large, a document too long) and parks their keys.

        Raises ConsumerBroken when that is all of them, and many.
        """
        refused: set[str] = set()
        errors: dict[str, str] = {}
        for write in writes:
            try:
                refused |= await self._store.write(self._collection, [write])
            except UnsafeForReadStore as error:
                errors[write.key] = f"the document can't be stored: {error}"
        if len(errors) == len(writes) >= self._failure_limit:
            raise ConsumerBroken(f"none of {len(writes)} documents can be stored: {errors[writes[0].key]}")
        _park_keys(batch, documents, errors)
        # They are read and folded again like refused ones; as they are parked now, they do not change.
        return frozenset(refused | errors.keys())


def _park_keys(batch: Batch, documents: Mapping[str, CachedDocument], errors: Mapping[str, str]) -> None:
    """Parks documents that no store can hold, from their first event of the batch on."""
    for step in batch.steps:
        for key in step.keys:
            if key in errors and step.stored.position > documents[key].position:
                failure = text_failure(errors[key], step.stored, step.recorded.event, key)
                batch.set_aside.key(step.stored, key, failure)
