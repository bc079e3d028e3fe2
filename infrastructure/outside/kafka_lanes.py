"""Many events into a topic of Kafka at once: one of each lane is under way."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError

from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.outside.deliveries import Lane
from infrastructure.resilience import TransientFault

Begin = Callable[[CloudEvent, Callable[[KafkaError | None], None]], None]
"""begin(event, answered): hands an event to the producer. Raises TransientFault where it takes none."""


class KafkaLanes:
    """The lanes are gone through side by side, `at_once` at a time. One ends with the first of its events that is not
    acknowledged; all do where `fault_of` says that the failure is more than that event's."""

    def __init__(
        self,
        lanes: Iterable[Lane],
        at_once: int,
        begin: Begin,
        fault_of: Callable[[KafkaError], TransientFault | None],
    ) -> None:
        self._waiting = deque(lanes)
        self._at_once = at_once
        self._begin = begin
        self._fault_of = fault_of
        self._under_way = 0
        self._answered = 0
        self._over = asyncio.Event()
        self._fault: TransientFault | None = None
        self._is_stopped = False

    async def run(self, timeout: float) -> None:
        """Returns when nothing is under way any more. Raises TransientFault for a failure that is not one event's, and
        where no answer comes for `timeout` seconds."""
        try:
            self._fill()
            while self._under_way:
                before = self._answered
                try:
                    await asyncio.wait_for(self._over.wait(), timeout)
                except TimeoutError:
                    if self._answered == before:
                        raise TransientFault(f"no answer within {timeout:g} s") from None
        finally:
            self._is_stopped = True
        if self._fault is not None:
            raise self._fault

    def _fill(self) -> None:
        while self._waiting and self._under_way < self._at_once and not self._is_stopped:
            self._advance(self._waiting.popleft())

    def _advance(self, lane: Lane) -> None:
        event = next(lane, None)  # also where it is not to be sent: the lane learns that the one before is there
        if event is None or self._is_stopped:
            return
        try:
            self._begin(event, lambda error: self._heard(lane, error))
        except TransientFault as fault:
            self._stop(fault)
        except Exception:  # of this event alone: the lane ends, and who repeats it is told
            return
        else:
            self._under_way += 1

    def _heard(self, lane: Lane, error: KafkaError | None) -> None:
        self._under_way -= 1
        self._answered += 1
        if error is None:
            self._advance(lane)
        else:
            self._stop(self._fault_of(error))
        self._fill()
        if not self._under_way:
            self._over.set()

    def _stop(self, fault: TransientFault | None) -> None:
        if fault is not None:
            self._is_stopped, self._fault = True, self._fault or fault
