"""What undoes the latest changes of a build's documents: written while a stream is parked, used when it is replayed.

The events of a stream that is parked have keys that nobody knows until it can be read. Meanwhile the documents go on.
When it is replayed, some of them have to go back to before its first event, and take what they have folded since once
more, with the stream's events in their places. The log knows no keys: without a record it would be read from its
first event on to find out what a document is made of.
"""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from domain.model.personal import personal_fields
from infrastructure.read_store import Comparison, Page, UnsafeForReadStore, Where, Write
from projector.folding.document_cache import ABSENT, CachedDocument
from read_models.model.view import View
from subscriptions.consumer import Batch, EventRef
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.store.retrying_store import RetryingStore

log = structlog.get_logger(__name__)

COLLECTION = "document_undo"

MOST_RECORDS = 100_000
"""So many are written for a build by one process while streams stay parked; without more, replays read the log."""

MOST_EVENTS = 50_000
"""Of more events of one document the places are not remembered: from where it is undone to, the log is read."""

_PAGE = 100
_BETWEEN_CHECKS = 1.0


class UndoRecord(Struct, frozen=True):
    """One write of a document, which took it from the position `previous` (-1: there was none) to `position`. `change`
    is a Change as JSON."""

    target: str
    key: str
    position: int
    previous: int
    change: str


class Change(Struct, frozen=True):
    """The document before the write (None: there was none), and the events that were folded into it."""

    before: Any
    events: list[EventRef]


class Undone(Struct, frozen=True):
    """A document as it was, and what it has folded since, in order; None where that is too much."""

    document: CachedDocument
    events: list[EventRef] | None


class UndoLog:
    """The records of one build. Every method raises Stopping.

    The records of a document are a chain: each begins at the position where the one before ended. Where a link is
    missing (a process of an older release wrote the document, too many records) there is no going back, and nothing is
    wrong.
    """

    def __init__(self, view: View, collection: str, store: RetryingStore) -> None:
        self._view = view
        self._collection = collection
        self._store = store
        self._written = 0
        self._checked_at = 0.0
        # A document of one stream alone does not go on without that stream.
        # Nor is what is personal kept twice: it would have to be looked for in records when its person is forgotten.
        self._used = not view.per_stream and not any(personal_fields(event) for event in view.events)

    async def prepare(self) -> None:
        """Prepares the collection of the records."""
        if self._used:
            await self._store.prepare(COLLECTION, UndoRecord, (("target", "key", "position"),))
            self._written = await self._store.count(COLLECTION, {"target": self._collection})

    async def note(
        self, batch: Batch, changed: Mapping[str, CachedDocument], before: Mapping[str, CachedDocument]
    ) -> None:
        """Records what is about to be written, if it may have to be undone: a stream is parked."""
        if not self._used or not batch.streams_parked or self._written >= MOST_RECORDS:
            return
        events: dict[str, list[EventRef]] = {}
        for step in batch.steps:
            stored = step.stored
            for key in step.keys:
                after = changed.get(key)
                if after is not None and before[key].position < stored.position <= after.position:
                    events.setdefault(key, []).append(EventRef(stored.stream, stored.revision, stored.position))
        await self._write([self._record(key, before[key], changed[key], some) for key, some in events.items()])

    async def undo(self, key: str, position: int, first: int) -> Undone | None:
        """The document, at `position` now, as it was before the event at `first`; None when that is not known."""
        if not self._used:
            return None
        events: list[EventRef] = []
        expected, at_most = position, position
        while True:
            where: Where = {"target": self._collection, "key": key, "position": Comparison(at_most=at_most)}
            page = await self._store.page(COLLECTION, Page(where, "position", _PAGE, "descending"))
            for _, found in page:
                record = msgspec.convert(found.fields, UndoRecord)
                if record.position > expected:
                    continue  # of a process that wrote in other portions
                if record.position < expected:
                    return None
                change = msgspec.json.decode(record.change, type=Change)
                if len(events) <= MOST_EVENTS:
                    events += reversed(change.events)
                if record.previous < first:
                    known = events[::-1] if len(events) <= MOST_EVENTS else None
                    return Undone(self._document(record, change), known)
                expected, at_most = record.previous, record.position - 1
            if len(page) < _PAGE:
                return None

    async def forget(self, key: str, above: int = -1) -> None:
        """Removes what is no longer true of a document that is about to be replaced, all changes after a position."""
        if self._used:
            where: Where = {"target": self._collection, "key": key, "position": Comparison(above=above)}
            await self._store.remove(COLLECTION, where)

    async def replaced(
        self, key: str, before: CachedDocument, after: CachedDocument, events: Sequence[EventRef]
    ) -> None:
        """Records that a document was folded again from `before` on: for the streams that are parked still."""
        some = [event for event in events if before.position < event.position <= after.position]
        await self._write([self._record(key, before, after, some)])

    async def forget_resolved(self, batch: Batch) -> None:
        """Removes all records once no stream is parked any more. It asks the store for that, now and then, because
        other processes may still be replaying what this one has replayed."""
        if not self._written or batch.streams_parked or monotonic() - self._checked_at < _BETWEEN_CHECKS:
            return
        self._checked_at = monotonic()
        if not await self._store.count(PARKED_EVENTS, {"target": self._collection, "kind": "stream"}):
            await self._store.remove(COLLECTION, {"target": self._collection})
            self._written = 0

    def _record(self, key: str, before: CachedDocument, after: CachedDocument, events: list[EventRef]) -> UndoRecord:
        change = msgspec.json.encode(Change(before.document, events)).decode()
        return UndoRecord(self._collection, key, after.position, before.position, change)

    async def _write(self, records: Sequence[UndoRecord]) -> None:
        writes = [
            Write(f"{one.target}:{one.position:020}:{one.key}", one.position, msgspec.to_builtins(one))
            for one in records
        ]
        try:
            await self._store.write(COLLECTION, writes)
        except UnsafeForReadStore as error:
            # It is the documents' own fault, if any, that is told; these can't be undone, and the log is read instead.
            log.warning("changes are not recorded", target=self._collection, error=str(error))
        if self._written < MOST_RECORDS <= self._written + len(writes):
            log.warning("no more changes are recorded while streams stay parked", target=self._collection)
        self._written += len(writes)

    def _document(self, record: UndoRecord, change: Change) -> CachedDocument:
        if record.previous < 0:
            return ABSENT
        document = None if change.before is None else msgspec.convert(change.before, self._view.document)
        return CachedDocument(record.previous, document)
