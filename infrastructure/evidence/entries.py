"""What the tree holds of an event, and the comparison of its entries with the events of a log."""

from collections.abc import Callable, Iterable, Iterator

from infrastructure.event_store import METADATA_TYPE, StoredEvent, StreamDeleted, metadata_stream
from infrastructure.evidence.findings import Contradiction, Finding, Gone, Kind
from infrastructure.evidence.removals import LogReads, Removals
from infrastructure.evidence.verifier import Entry, event_digest

Entries = Callable[[], Iterator[Entry]]


def stream_of(event: StoredEvent) -> str:
    """The stream that the event stands in: metadata of a stream stand in one of their own."""
    return metadata_stream(event.stream) if event.type == METADATA_TYPE else event.stream


def entry_of(event: StoredEvent) -> Entry:
    """Its leaf in the tree."""
    stream = stream_of(event)
    digest = event_digest(stream, event.revision, event.id, event.type, event.recorded_at, event.data, event.metadata)
    return Entry(event.position, event.revision, event.id, digest, stream)


class Comparison:
    """Goes along a log and the entries of its tree, both in the log's order. `every` gives all entries of the tree, to
    look for one when a difference has been found. `gone` are the events that may be gone, by stream."""

    def __init__(self, store: LogReads, entries: Iterable[Entry], every: Entries) -> None:
        self.gone: dict[str, Gone] = {}
        self._store = store
        self._removals = Removals(store)
        self._entries = iter(entries)
        self._every = every
        self._next = next(self._entries, None)

    async def take(self, event: StoredEvent) -> bool:
        """Whether the tree holds the log's next event. Raises Contradiction where it holds another one there."""
        while self._next is not None:
            expected = self._next
            if expected.position > event.position:
                raise await self._too_many(event)
            if expected.position == event.position:
                found = entry_of(event)
                if found != expected:
                    raise await self._another(expected, event, found)
                self._next = next(self._entries, None)
                return True
            await self._missing(expected)
        return False

    async def finish(self) -> None:
        """The log has ended. Raises Contradiction when the tree holds more."""
        while self._next is not None:
            await self._missing(self._next)

    async def _missing(self, expected: Entry) -> None:
        explained = await self._removals.explain(expected.stream, expected.revision)
        elsewhere = await (self._in_its_stream if explained else self._elsewhere)(expected)
        if elsewhere is not None:
            raise _moved(expected, elsewhere)
        if not explained:
            raise _contradiction("removed", "it is not in the log any more", expected)
        gone = self.gone.get(expected.stream)
        if gone is None:
            gone = Gone(0, expected.revision, expected.revision, expected.position)
            self.gone[expected.stream] = gone
        gone.events += 1
        gone.last_revision = expected.revision
        self._next = next(self._entries, None)

    async def _too_many(self, event: StoredEvent) -> Contradiction:
        entry = entry_of(event)
        known = self._known(event.id)
        if known is not None:
            return _moved(known, entry.position)
        return _contradiction("inserted", "it was not there when the tree was made", entry)

    async def _another(self, expected: Entry, event: StoredEvent, found: Entry) -> Contradiction:
        if found.id == expected.id:
            return _contradiction(
                "altered", f"it is not the event that was written: {_changes(expected, found)}", expected
            )
        elsewhere = await self._elsewhere(expected)
        known = self._known(event.id)
        if elsewhere is not None:
            if known is None:
                return _contradiction("inserted", f"it stands where {_name(expected)} stood", found)
            return _moved(expected, elsewhere)
        if known is None:
            return _contradiction("altered", f"another event, {found.id}, stands in its place", expected)
        return _contradiction("removed", f"it is not in the log any more; {_name(known)} stands in its place", expected)

    async def _in_its_stream(self, entry: Entry) -> int | None:
        """Where the event stands now, if it is in its stream but not in its place in the log."""
        try:
            read = await self._store.read_slice(entry.stream, entry.revision, 1)
        except StreamDeleted:
            return None
        found = read.events[0] if read.events else None
        return found.position if found and found.id == entry.id and found.position != entry.position else None

    async def _elsewhere(self, entry: Entry) -> int | None:
        """Where in the whole log the event stands now, if not in its place."""
        async for event in self._store.read_all():
            if event.id == entry.id and event.position != entry.position:
                return event.position
        return None

    def _known(self, id_: str) -> Entry | None:
        return next((entry for entry in self._every() if entry.id == id_), None)


def _contradiction(kind: Kind, detail: str, entry: Entry) -> Contradiction:
    return Contradiction(Finding(kind, detail, entry.stream, entry.revision, entry.position))


def _moved(entry: Entry, position: int) -> Contradiction:
    return _contradiction("moved", f"it stands at position {position} now", entry)


def _changes(expected: Entry, found: Entry) -> str:
    if found.stream != expected.stream:
        return f"it stands in {found.stream}"
    if found.revision != expected.revision:
        return f"it has revision {found.revision}"
    return "its data, metadata, type or time are others"


def _name(entry: Entry) -> str:
    return f"revision {entry.revision} of {entry.stream}"
