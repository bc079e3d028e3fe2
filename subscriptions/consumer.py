"""What a consumer is: which events it takes, by which keys they stay in order, and what it does with them."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any, Protocol

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import StoredEvent
from infrastructure.resilience import Policy
from subscriptions.failures import event_failure
from subscriptions.parking.parking import Parking
from subscriptions.parking.set_aside import SetAside


class Step(Struct, frozen=True, gc=False):
    """One event, for those of its keys that are handled here."""

    stored: StoredEvent
    recorded: RecordedEvent[Any]
    keys: tuple[str, ...]


class EventRef(Struct, frozen=True, array_like=True, gc=False):
    """Where an event stands: in its stream, and in the log."""

    stream: str
    revision: int
    position: int


class Batch:
    """Events in commit order for a consumer, and what of them it sets aside.

    An event of a key that is parked must be parked too, by `park_behind`, so that each key's events stay in order; one
    that was discarded for a key must be left out for it.
    """

    def __init__(self, steps: Sequence[Step], parking: Parking, set_aside: SetAside) -> None:
        self.steps = steps
        self.set_aside = set_aside
        self._parking = parking
        # Called for each event and key, so these are the parking's own methods.
        self.is_parked: Callable[[str, int], bool] = parking.is_key_parked
        self.is_discarded: Callable[[int, str], bool] = parking.discards.of_key
        self.has_discards: Callable[[str, str], bool] = parking.discards.concern
        self.succeeded: Callable[[], None] = parking.unhandled.succeeded

    @property
    def consumer(self) -> str:
        """The name of who handles it."""
        return self._parking.target.consumer

    @property
    def keys(self) -> set[str]:
        """All keys that its events are handled for."""
        return {key for step in self.steps for key in step.keys}

    @property
    def streams_parked(self) -> bool:
        """Whether any stream is parked, so that events may come late, before others of the same keys."""
        return self._parking.has_streams

    def park(self, step: Step, key: str, error: Exception) -> None:
        """Sets the event aside for a key, and all later events of the key, until an operator retries or discards it.

        Raises ConsumerBroken when too many keys have failed one after another with no success between them.
        """
        self.set_aside.key(step.stored, key, event_failure(error, step.stored, step.recorded.event, key))
        self._parking.unhandled.failed(key, error, step.recorded.event)

    def park_behind(self, step: Step, key: str) -> None:
        """Sets the event aside because the key is parked."""
        self.set_aside.key_behind(step.stored, key)

    def by_key(self) -> "dict[str, Batch]":
        """The same batch, key by key, in the order in which the keys come."""
        steps: dict[str, list[Step]] = {}
        for step in self.steps:
            for key in step.keys:
                steps.setdefault(key, []).append(Step(step.stored, step.recorded, (key,)))
        return {key: Batch(ours, self._parking, self.set_aside) for key, ours in steps.items()}

    def only(self, keys: Collection[str]) -> "Batch":
        """The same batch for some of its keys only."""
        return Batch(restricted(self.steps, keys), self._parking, self.set_aside)


class EventGone(Exception):
    """An event is no longer in its stream."""


class PastEvents(Protocol):
    """The log as it was, up to where the consumer is."""

    def history(self, keys: Collection[str], after: int | None = None) -> AsyncIterator[Batch]:
        """All events for some keys after a position, from the first event of the log where it is None."""

    def reread(self, events: Sequence[EventRef], keys: Collection[str]) -> AsyncIterator[Batch]:
        """Single events, given in commit order, for some keys. Raises EventGone."""


class LateBatch(Batch):
    """Replayed dead letters: events that come when the consumer may have handled later ones of the same keys.

    `until` is the position that the consumer has reached, `past` what stands in the log up to there.
    """

    def __init__(
        self, steps: Sequence[Step], parking: Parking, set_aside: SetAside, until: int, past: PastEvents
    ) -> None:
        super().__init__(steps, parking, set_aside)
        self.until = until
        self.past = past


class Consumer(Protocol):
    """A follower of the log. A batch may come again after a crash, so its work must be safe to repeat.

    `name` is unique among all consumers of a read store, `version` rises when older code can't take the work over.
    """

    name: str
    version: int
    events: frozenset[type[Struct]]

    def keys(self, event: Any) -> tuple[str, ...]:
        """The keys for which an event is handled. Each belongs to one partition, so to one process at a time, and its
        events come in order. Pure; when it raises, the event's whole stream is parked."""

    async def prepare(self) -> None:
        """Prepares what the work needs, before the first batch; may be repeated."""

    async def take(self, batch: Batch) -> None:
        """Does the work of a batch. When it returns, the batch will not come again, except what it has parked.

        Raises ConsumerBroken when the fault is its own; after any other error it is started again from its checkpoint,
        after a pause.
        """

    async def take_late(self, batch: LateBatch) -> None:
        """Does the work of dead letters of streams that are handled again; by default as if they had just come."""
        await self.take(batch)

    def outside(self) -> Sequence[Policy]:
        """The policies under which it calls what lies outside, for /health/ready; by default it calls nobody."""
        return ()

    async def close(self) -> None:
        """Gives up what it holds open to the outside, when the process ends; by default it holds nothing."""
        return


def restricted(steps: Sequence[Step], keys: Collection[str]) -> list[Step]:
    """The same steps for some of the keys only."""
    few = [(step, tuple(key for key in step.keys if key in keys)) for step in steps]
    return [Step(step.stored, step.recorded, left) for step, left in few if left]
