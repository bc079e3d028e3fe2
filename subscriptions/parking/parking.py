"""Which streams and keys of a target are parked, and since which event."""

import msgspec

from infrastructure.checkpoints import Target
from infrastructure.dead_letters.failure import Failure
from subscriptions.parking.discarded_events import Discards, discards_of
from subscriptions.parking.failure_run import FailureRun
from subscriptions.parking.parked_events import COLLECTION, INDEXES, ParkedEvent
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages


class Parking:
    """What is parked for one target, and what operators have discarded for its consumer.

    Events before the one that parked a key are handled as usual, also when they are replayed. `unkeyed` and `unhandled`
    count failures one after another: at `failure_limit` keys the fault counts as the consumer's own.
    """

    def __init__(self, target: Target, failure_limit: int) -> None:
        self.target = target
        self.failure_limit = failure_limit
        self.discards = Discards()
        self.unkeyed = FailureRun(target.consumer, failure_limit)
        self.unhandled = FailureRun(target.consumer, failure_limit)
        self._streams: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._causes: dict[tuple[str, str], Failure] = {}
        self.count = 0

    async def load(self, store: DocumentStore) -> None:
        """Loads what earlier runs have parked."""
        self._streams.clear()
        self._keys.clear()
        self._causes.clear()
        self.discards = await discards_of(store, self.target.consumer)
        await store.prepare(COLLECTION, ParkedEvent, INDEXES)
        await self.recount(store)
        firsts = scan_pages(store, COLLECTION, {"target": self.target.name, "first": 1}, by="position")
        async for document in firsts:
            since = self._streams if document["kind"] == "stream" else self._keys
            since.setdefault(document["key"], document["position"])
            record = msgspec.convert(document, ParkedEvent)
            self.note_cause(record.kind, record.key, record.cause)

    async def recount(self, store: DocumentStore) -> None:
        """Counts the dead letters again, after some were replayed or discarded."""
        self.count = await store.count(COLLECTION, {"target": self.target.name})

    async def refresh_discards(self, store: DocumentStore) -> None:
        """Loads again what has been discarded, and starts the count of failures again."""
        self.discards = await discards_of(store, self.target.consumer)
        self.forgive()

    def forgive(self) -> None:
        """Starts the count of failures again: what has failed before may fail again, with no new fault."""
        self.unkeyed.succeeded()
        self.unhandled.succeeded()

    def note_cause(self, kind: str, key: str, failure: Failure) -> None:
        """Why the stream or the key is parked; what is parked behind it is recorded with the same cause."""
        # Without the text, which may be long, and is the first event's own.
        self._causes[kind, key] = msgspec.structs.replace(failure, error="")

    def cause(self, kind: str, key: str) -> Failure | None:
        """Why it is parked; None where it is not, or nobody has recorded it."""
        return self._causes.get((kind, key))

    @property
    def has_streams(self) -> bool:
        """Whether any stream is parked."""
        return bool(self._streams)

    def is_stream_parked(self, stream: str, position: int) -> bool:
        """Whether an event of the stream at `position` is parked, or stands behind one that is."""
        return bool(self._streams) and self._streams.get(stream, position + 1) <= position

    def is_key_parked(self, key: str, position: int) -> bool:
        """Whether an event of the key at `position` is parked, or stands behind one that is."""
        return bool(self._keys) and self._keys.get(key, position + 1) <= position

    def free_stream(self, stream: str) -> int | None:
        """The stream's events are handled again from now on; returns the position from which they were parked."""
        return self._streams.pop(stream, None)

    def free_key(self, key: str) -> int | None:
        """The key's events are handled again from now on; returns the position from which they were parked."""
        return self._keys.pop(key, None)

    def add_stream(self, stream: str, position: int) -> None:
        """Parks a stream from an event on, or from an earlier one if it is parked from there already."""
        self._streams[stream] = min(position, self._streams.get(stream, position))

    def add_key(self, key: str, position: int) -> None:
        """Parks a key from an event on, or from an earlier one if it is parked from there already: what comes late can
        make an event fail that had not failed before."""
        self._keys[key] = min(position, self._keys.get(key, position))
