"""A consumer that counts events, and what it must come to."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Write
from read_models.model.view import View
from subscriptions.consumer import Batch, Consumer, LateBatch
from subscriptions.each_event import take_each
from subscriptions.ports import DocumentStore
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import at_once
from tests.support.tiny.lamp import LampEvent, LampInstalled, LampSwitchedOff, LampSwitchedOn
from tests.support.tiny.logs import fold_of

Refuses = Callable[[Any, str], bool]
"""refuses(event, key): whether the work for a key of the event fails."""


class Counts(Struct, frozen=True):
    """How many events of each type a key has had."""

    counts: dict[str, int]


def by_lamp(event: LampEvent) -> tuple[str, ...]:
    """One key, all of whose events are in one stream."""
    return (event.lamp_id,)


def by_many(event: LampEvent) -> tuple[str, ...]:
    """Keys that many streams have in common; none for some lamps."""
    if isinstance(event, LampInstalled) and event.watts % 17 == 0:
        raise LookupError("no keys for watts that 17 divides")
    return (event.lamp_id, "everybody", f"group {event.lamp_id[-1]}")


def nothing(_event: Any, _key: str) -> bool:
    """Refuses nothing."""
    return False


def lamps(*lamp_ids: str) -> Refuses:
    """Refuses every event of these lamps."""
    return lambda event, _key: event.lamp_id in lamp_ids


class Counter(Consumer):
    """Counts the events of each key by their types; a document's position keeps an event from being counted twice.

    `handled` are the positions and keys of all attempts.
    """

    events: frozenset[type[Struct]] = frozenset({LampInstalled, LampSwitchedOn, LampSwitchedOff})

    def __init__(
        self,
        store: DocumentStore,
        name: str = "counter",
        version: int = 1,
        *,
        keys: Callable[[Any], tuple[str, ...]] = by_lamp,
        refuses: Refuses = nothing,
        attempts: int = 3,
    ) -> None:
        self.name = name
        self.version = version
        self.handled: list[tuple[int, str]] = []
        self.refuses = refuses
        self._store = store
        self._keys = keys
        self._attempts = attempts

    def keys(self, event: Any) -> tuple[str, ...]:
        return self._keys(event)

    async def prepare(self) -> None:
        await self._store.prepare(self.name, Counts, ())

    async def take(self, batch: Batch) -> None:
        await take_each(batch, self._count, attempts=self._attempts, delays=at_once)

    async def take_late(self, batch: LateBatch) -> None:
        """Later events of the keys may have been counted: all of them are counted anew."""
        keys = {key for step in batch.steps for key in step.keys}
        stored = await self._store.load(self.name, sorted(keys))
        counted: dict[str, Write] = {}

        async def count(recorded: RecordedEvent[Any], key: str) -> None:
            self._check(recorded, key)
            before = counted[key].fields if key in counted else None
            counted[key] = Write(key, recorded.position, _counted(before, recorded))

        async for past in batch.past.history(keys):
            await take_each(past, count, attempts=1)
        for key, write in counted.items():
            if key in stored:
                assert await self._store.replace_exactly(self.name, write, stored[key].position)
            else:
                assert await self._store.write(self.name, [write]) == frozenset()

    async def _count(self, recorded: RecordedEvent[Any], key: str) -> None:
        self._check(recorded, key)
        found = (await self._store.load(self.name, [key])).get(key)
        if found is None or found.position < recorded.position:
            fields = _counted(None if found is None else found.fields, recorded)
            await self._store.write(self.name, [Write(key, recorded.position, fields)])

    def _check(self, recorded: RecordedEvent[Any], key: str) -> None:
        self.handled.append((recorded.position, key))
        if self.refuses(recorded.event, key):
            raise ZeroDivisionError(f"no sums today for {key}")


def _counted(fields: dict[str, Any] | None, recorded: RecordedEvent[Any]) -> dict[str, Any]:
    counts = {} if fields is None else fields["counts"]
    name = type(recorded.event).__name__
    return {"counts": {**counts, name: counts.get(name, 0) + 1}}


def plain_count(
    counter: Counter, log: Iterable[StoredEvent], left_out: Collection[tuple[int, str]] = ()
) -> tuple[dict[str, dict[str, Any]], set[int]]:
    """The documents that a counter must come to, and the positions that it must have parked; `left_out` as in
    tests.support.logs.PlainFold."""

    def fold(counts: Counts | None, recorded: RecordedEvent[Any]) -> Counts:
        # It is asked for the key that it is about, which a fold isn't told; so refusals are by event alone.
        if counter.refuses(recorded.event, ""):
            raise ZeroDivisionError
        return Counts(_counted(None if counts is None else {"counts": counts.counts}, recorded)["counts"])

    return fold_of(View(counter.name, 1, Counts, counter.events, counter.keys, fold), log, left_out)


def parked(store: MemoryReadStore, consumer: str = "counter") -> list[dict[str, Any]]:
    """What is parked for a consumer, in order of position."""
    found = [one for one in store.documents("parked_events").values() if one["target"] == consumer]
    return sorted(found, key=lambda one: one["position"])


def assert_counted(store: MemoryReadStore, log: Iterable[StoredEvent], *counters: Counter) -> None:
    """Every count, parked event and checkpoint is what a plain count of the whole log comes to."""
    events = list(log)
    for counter in counters:
        documents, positions = plain_count(counter, events)
        assert store.documents(counter.name) == documents
        assert {one["position"] for one in parked(store, counter.name)} == positions
        if events:
            partitions = store.documents("consumer_records")[counter.name]["partitions"]
            checkpoints = store.documents("checkpoints")
            keys = [f"{counter.name}:1:{partition}" for partition in range(partitions)]
            assert {checkpoints[key]["_position"] for key in keys} == {events[-1].position}
