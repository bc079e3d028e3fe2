"""A process as a consumer of the log: the events that concern its instances, and those of its own streams."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from domain.model.process import Process
from domain.model.process_events import (
    PROCESS_EVENTS,
    CommandAnswered,
    CompensationResolved,
    TimerFired,
)
from infrastructure.checkpoints.target import partition_of
from infrastructure.event_codec import decode_metadata
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import Policy
from infrastructure.telemetry import TraceContext
from process_manager.instances.index import InstanceIndex
from process_manager.instances.instance import Instance, trigger_id
from process_manager.instances.reaction import Trigger, of_recorded
from process_manager.running.runner import Runner, Surroundings
from subscriptions.assignment import Assignment
from subscriptions.consumer import Batch, LateBatch, Step
from subscriptions.errors import ConsumerBroken, Stopping
from subscriptions.store.retrying_store import RetryingStore

_OWN = frozenset(one.struct for one in PROCESS_EVENTS)
_RECORDED = (CommandAnswered, TimerFired, CompensationResolved)
_NO_EVENTS_FAULT = (ReadStoreUnavailable, ReadStoreRefused, EventStoreUnavailable)
# How many instances react at the same time, each of them to one event after another.
_AT_A_TIME = 64
_ATTEMPTS = 3


class ProcessConsumer:
    """Implements subscriptions.consumer.Consumer. Its keys are the instances of the process.

    The reaction to an event is in the instance's stream when the event is done with; what was decided is carried out
    beside that, so that no command holds an event up. Events of its own streams make it look after what is to be
    carried out, whoever has decided it: so nothing is forgotten whenever this process ends.
    """

    def __init__(self, process: Process, around: Surroundings) -> None:
        self.name = process.name
        self.version = process.version
        self.events: frozenset[type[Struct]] = frozenset(process.starts) | frozenset(process.reacts) | _OWN
        self._process = process
        self._around = around

    def assigned(self, assignment: Assignment, store: RetryingStore) -> "AssignedConsumer":
        """The same consumer at work on some partitions."""
        return AssignedConsumer(self._process, self._around, assignment, store)

    def keys(self, event: Any) -> tuple[str, ...]:
        """The instances that the event concerns."""
        if type(event) in _OWN:
            return (event.instance,) if event.process == self.name else ()
        correlations = (routes.get(type(event)) for routes in (self._process.starts, self._process.reacts))
        found = {correlate(event) for correlate in correlations if correlate is not None}
        return tuple(sorted(found - {""}))

    async def prepare(self) -> None:
        """Nothing is done before there is an assignment."""

    async def take(self, batch: Batch) -> None:
        raise RuntimeError("a process works on an assignment, and was given none")

    async def take_late(self, batch: LateBatch) -> None:
        raise RuntimeError("a process works on an assignment, and was given none")

    def outside(self) -> Sequence[Policy]:
        """What it is given belongs to the service, which shows it."""
        return ()

    async def close(self) -> None:
        """What it is given belongs to the service, which closes it."""


class AssignedConsumer(ProcessConsumer):
    """A process at work on some of its partitions, until `store` stops or it is closed."""

    def __init__(self, process: Process, around: Surroundings, assignment: Assignment, store: RetryingStore) -> None:
        super().__init__(process, around)
        self._store = store
        self._index = InstanceIndex(store)
        partitions, owned = assignment.target.partitions, assignment.owned
        self._runner = Runner(process, around, lambda instance: partition_of(instance, partitions) in owned)
        self._ending: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Looks after what was left open, from now on."""
        await self._index.prepare()
        self._runner.start()
        if self._ending is None:
            self._ending = asyncio.create_task(self._close_when_stopped())

    def stop(self) -> None:
        """Carries nothing out any more."""
        if self._ending is not None:
            self._ending.cancel()
        self._runner.stop()

    async def close(self) -> None:
        """As `stop`, and waits for the end of what is under way."""
        self.stop()
        await self._runner.close()

    async def _close_when_stopped(self) -> None:
        await self._store.stopping()
        self._runner.stop()

    async def take(self, batch: Batch) -> None:
        """Lets each instance react to its events in order, many instances at a time."""
        steps: dict[str, list[Step]] = {}
        for step in batch.steps:
            for key in step.keys:
                steps.setdefault(key, []).append(step)
        places = asyncio.Semaphore(_AT_A_TIME)

        async def one(key: str) -> Instance | None:
            async with places:
                return await self._take_of(key, steps[key], batch)

        outcomes = await asyncio.gather(*map(one, steps), return_exceptions=True)
        faults = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if faults:
            raise next((fault for fault in faults if isinstance(fault, ConsumerBroken)), faults[0])
        await self._index.write(outcome for outcome in outcomes if isinstance(outcome, Instance))

    async def take_late(self, batch: LateBatch) -> None:
        """A process takes what comes late as it comes: it may be late from any stream, at any time."""
        await self.take(batch)

    async def _take_of(self, key: str, steps: Sequence[Step], batch: Batch) -> Instance | None:
        """Takes the steps of one instance; gives the instance, when there are events of its own stream."""
        newest = -1
        for step in steps:
            event = step.recorded.event
            if type(event) in _OWN:
                newest = max(newest, step.stored.revision)
                if not isinstance(event, _RECORDED) or await self._is_decided(key, step):
                    continue
            position = step.stored.position
            if batch.is_discarded(position, key):
                continue
            if batch.is_parked(key, position):
                batch.park_behind(step, key)
                continue
            error = await self._attempt(step, key)
            if error is None:
                batch.succeeded()
            elif isinstance(error, _NO_EVENTS_FAULT):
                raise error
            else:
                batch.park(step, key, error)
        if newest < 0:
            return None
        async with self._runner.streams.alone(key):
            instance = await self._runner.streams.load(key, at_least=newest)
            self._runner.follow(instance)
            return instance

    async def _is_decided(self, key: str, step: Step) -> bool:
        """Whether the reaction stands in the stream already, as it nearly always does."""
        instance = await self._runner.streams.load(key, at_least=step.stored.revision)
        return trigger_id(step.recorded.event) in instance.handled

    async def _attempt(self, step: Step, key: str) -> Exception | None:
        failure: Exception | None = None
        for pause in (0.0, *islice(self._around.delays(), _ATTEMPTS - 1)):
            await asyncio.sleep(pause)
            try:
                await self._react(step, key)
            except (ConsumerBroken, Stopping):
                raise
            except Exception as error:
                failure = error
            else:
                return None
        return failure

    async def _react(self, step: Step, key: str) -> None:
        event, stored = step.recorded.event, step.stored
        if isinstance(event, _RECORDED):
            await self._runner.reactor.react(key, of_recorded(event, new=False))
            return
        process = self._process
        metadata = decode_metadata(stored)
        trace = TraceContext(metadata.traceparent, metadata.tracestate)
        trigger = Trigger("event", stored.id, stored.type, event, stored.stream, stored.position, trace=trace)
        await self._runner.reactor.react(
            key,
            trigger,
            starts=_concerns(process.starts, event, key),
            reopens=type(event) in process.reopened_by,
            correlation_id=metadata.correlation_id or "",
        )


def _concerns(correlations: Mapping[type[Struct], Any], event: Any, key: str) -> bool:
    correlate = correlations.get(type(event))
    return correlate is not None and correlate(event) == key
