"""Which events of a batch concern a consumer, and for which of its keys: pure but for what it sets aside."""

from collections.abc import Sequence
from typing import Any

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import StoredEvent
from subscriptions.assignment import Assignment
from subscriptions.consumer import Consumer, Step
from subscriptions.decoding import Incoming
from subscriptions.failures import event_failure
from subscriptions.parking.parking import Parking
from subscriptions.parking.set_aside import SetAside


class Selection:
    """The events of a consumer's types, each with those of its keys that are ours. When the keys can't be found, the
    stream is parked."""

    def __init__(self, consumer: Consumer, assignment: Assignment, parking: Parking) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._parking = parking

    def select(self, events: Sequence[Incoming], after: int, set_aside: SetAside) -> list[Step]:
        """Events at or below `after` are done already. Raises ConsumerBroken."""
        steps: list[Step] = []
        event_types, parking = self._consumer.events, self._parking
        is_stream_parked, is_discarded = parking.is_stream_parked, parking.discards.whole
        compare = parking.discards.compare
        for incoming in events:
            stored, recorded = incoming.stored, incoming.recorded
            if stored.position <= after:
                continue
            compare(stored)
            if recorded is None:
                if incoming.fault is not None and not is_discarded(stored.position):
                    set_aside.stream(stored, incoming.fault)
            elif type(recorded.event) in event_types:
                if is_discarded(stored.position):
                    continue
                if is_stream_parked(stored.stream, stored.position):
                    set_aside.stream_behind(stored)
                else:
                    self._add(stored, recorded, steps, set_aside)
        return steps

    def _add(self, stored: StoredEvent, recorded: RecordedEvent[Any], steps: list[Step], set_aside: SetAside) -> None:
        try:
            keys = self._consumer.keys(recorded.event)
        except Exception as error:
            set_aside.stream(stored, event_failure(error, stored, recorded.event))
            self._parking.unkeyed.failed(stored.stream, error, recorded.event)
        else:
            self._parking.unkeyed.succeeded()
            ours = keys if self._assignment.is_whole else self._assignment.of(keys)
            if ours:
                steps.append(Step(stored, recorded, ours))
