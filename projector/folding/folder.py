"""Steps two and three, pure: which events of a batch concern a view and by which keys, and their fold in memory."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import StoredEvent
from projector.dead_letters.parking import ParkedOfBatch, Parking
from projector.errors import ViewBroken
from projector.folding.decoding import Incoming
from projector.folding.document_cache import Known
from projector.folding.share import Share
from read_models.model.view import View

BEHIND = "stands behind an event that is parked"


class Step(Struct, frozen=True, gc=False):
    """One event to be folded into the documents of `keys`."""

    stored: StoredEvent
    recorded: RecordedEvent[Any]
    keys: tuple[str, ...]


class FailureRun:
    """Counts the distinct keys that fail one after another; at `limit` the fault is taken to be the view's own."""

    def __init__(self, view: View, limit: int) -> None:
        self._view = view
        self._limit = limit
        self._failed: set[str] = set()

    def failed(self, key: str, error: Exception) -> None:
        """Raises ViewBroken at the limit."""
        self._failed.add(key)
        if len(self._failed) >= self._limit:
            message = f"{self._view.name} failed for {self._limit} keys in a row, last for {key}"
            raise ViewBroken(f"{message}: {describe(error)}") from error

    def succeeded(self) -> None:
        """Ends the run."""
        if self._failed:
            self._failed.clear()


class Folder:
    """The pure part of one projection; it parks what fails."""

    def __init__(self, view: View, share: Share, parking: Parking, failure_limit: int) -> None:
        self._view = view
        self._share = share
        self._parking = parking
        self._unkeyed = FailureRun(view, failure_limit)
        self._unfolded = FailureRun(view, failure_limit)

    def forget_failures(self) -> None:
        """Failures from here on are counted afresh."""
        self._unkeyed.succeeded()
        self._unfolded.succeeded()

    def select(self, events: Sequence[Incoming], after: int, parked: ParkedOfBatch) -> list[Step]:
        """The events that the view folds, with those of their keys that are ours. What gives no keys parks its stream.

        Events at or below `after` are done already. Raises ViewBroken.
        """
        steps: list[Step] = []
        wanted, holds_stream, is_discarded = self._view.events, self._parking.holds_stream, self._parking.discards.whole
        for incoming in events:
            stored, recorded = incoming.stored, incoming.recorded
            if stored.position <= after:
                continue
            if recorded is None:
                if not is_discarded(stored.position):
                    parked.park_stream(stored, incoming.fault)
            elif type(recorded.event) in wanted:
                if is_discarded(stored.position):
                    continue
                if holds_stream(stored.stream, stored.position):
                    parked.park_stream(stored, BEHIND)
                else:
                    self._select(stored, recorded, steps, parked)
        return steps

    def _select(
        self, stored: StoredEvent, recorded: RecordedEvent[Any], steps: list[Step], parked: ParkedOfBatch
    ) -> None:
        try:
            keys = self._view.keys(recorded.event)
        except Exception as error:
            parked.park_stream(stored, describe(error))
            self._unkeyed.failed(stored.stream, error)
        else:
            self._unkeyed.succeeded()
            ours = keys if self._share.is_whole else self._share.of(keys)
            if ours:
                steps.append(Step(stored, recorded, ours))

    def fold(self, steps: Sequence[Step], known: Mapping[str, Known], parked: ParkedOfBatch) -> dict[str, Known]:
        """The documents that the steps change. A fold that raises parks the document's key. Raises ViewBroken."""
        changed: dict[str, Known] = {}
        fold, holds_key, is_discarded = self._view.fold, self._parking.holds_key, self._parking.discards.of_document
        for step in steps:
            position = step.stored.position
            for key in step.keys:
                current = changed.get(key) or known[key]
                if position <= current.position or is_discarded(position, key):
                    continue
                if holds_key(key, position):
                    parked.park_key(step.stored, key, BEHIND)
                    continue
                try:
                    document = fold(current.document, step.recorded)
                except Exception as error:
                    parked.park_key(step.stored, key, describe(error))
                    self._unfolded.failed(key, error)
                else:
                    changed[key] = Known(position, document, current.new)
                    self._unfolded.succeeded()
        return changed


def park_keys(
    steps: Sequence[Step], known: Mapping[str, Known], errors: Mapping[str, str], parked: ParkedOfBatch
) -> None:
    """Parks documents whose outcome no store can hold, from their first event of the batch on."""
    for step in steps:
        for key in step.keys:
            if key in errors and step.stored.position > known[key].position:
                parked.park_key(step.stored, key, errors[key])


def restricted(steps: Sequence[Step], keys: Collection[str]) -> list[Step]:
    """The same steps for some of the keys only."""
    few = [(step, tuple(key for key in step.keys if key in keys)) for step in steps]
    return [Step(step.stored, step.recorded, left) for step, left in few if left]


def describe(error: Exception) -> str:
    """An error as it is shown to operators."""
    return f"{type(error).__name__}: {error}"
