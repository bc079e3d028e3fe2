"""The consumer of one destination: what is published of each event goes there, until it is acknowledged."""

from collections.abc import Callable, Generator, Sequence
from functools import cache
from time import monotonic
from typing import Any, Protocol, runtime_checkable

from domain.model.recorded_event import RecordedEvent
from event_relay.destinations import Destination
from event_relay.metrics import DELIVERIES
from event_relay.spans import publish_span, publish_span_apart
from infrastructure.event_store import StoredEvent
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.integration.publisher import Publisher
from infrastructure.outside.deliveries import EventRefused, Lane
from infrastructure.resilience import DependencyUnavailable, Policy
from subscriptions.attempts import Attempts
from subscriptions.consumer import Batch, Consumer, Step
from subscriptions.each_event import take_side_by_side
from subscriptions.spans import event_span_apart


class Delivery(Protocol):
    """What takes events; see infrastructure.outside.webhooks.Webhook."""

    @property
    def policy(self) -> Policy: ...

    async def deliver(self, event: CloudEvent) -> None: ...

    async def close(self) -> None: ...


@runtime_checkable
class DeliversMany(Protocol):
    """A delivery that may be given many events together."""

    async def deliver_all(self, lanes: Sequence[Lane]) -> None:
        """Delivers the events of each lane in order, until one is not acknowledged. Raises DependencyUnavailable."""


class Relay(Consumer):
    """Its keys are subjects: the events of one go out one after another, each only when the one before is acknowledged
    or has become a dead letter, behind which the later ones of the subject wait.

    What is acknowledged goes out again only where this process ends before the checkpoint is written, or by a replay.
    While the destination is away, nothing is parked.
    """

    version = 1

    def __init__(
        self,
        destination: Destination,
        publisher: Publisher,
        delivery: Delivery,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = destination.consumer
        self.events = publisher.made_into(destination.wants)
        self._destination = destination
        self._wants = cache(destination.wants)  # there are as many types as are published
        self._publisher = publisher
        self._delivery = delivery
        self._acknowledged = DELIVERIES.labels(self.name, "acknowledged")
        self._attempts = Attempts(patience=destination.patience, clock=clock)

    def keys(self, event: Any) -> tuple[str, ...]:
        """The subject."""
        return (self._publisher.subject(event),)

    async def prepare(self) -> None:
        """Nothing: all that is published follows from the log."""

    async def take(self, batch: Batch) -> None:
        """Delivers what is published of the batch: first as much as goes together, then event by event what is left,
        where it shows what is wrong with which of them."""
        if isinstance(self._delivery, DeliversMany):
            batch = batch.only(batch.keys - await self._take_together(batch, self._delivery))
        stored = {step.stored.position: step.stored for step in batch.steps}

        async def relay(recorded: RecordedEvent[Any], _subject: str) -> None:
            await self._relay(stored[recorded.position], recorded)

        # The policy has made the attempts that may help: what is refused is refused for good.
        await take_side_by_side(batch, relay, at_once=self._destination.concurrency, attempts=1)

    async def _take_together(self, batch: Batch, delivery: DeliversMany) -> set[str]:
        """The subjects that are done."""
        done: set[str] = set()
        steps: dict[str, list[Step]] = {}
        for step in batch.steps:
            for subject in step.keys:
                steps.setdefault(subject, []).append(step)
        lanes = [self._lane(subject, its, batch, done) for subject, its in steps.items()]
        try:
            await delivery.deliver_all(lanes)
        except DependencyUnavailable:
            pass  # it is found again, and told, by what is left
        finally:
            for lane in lanes:
                lane.close()  # its span ends now
        if done:
            batch.succeeded()
        return done

    def _lane(self, subject: str, steps: Sequence[Step], batch: Batch, done: set[str]) -> Generator[CloudEvent]:
        """What goes out of a subject, up to the first event that needs a closer look."""
        acknowledged = 0
        try:
            for step in steps:
                position = step.stored.position
                if batch.is_discarded(position, subject) or batch.is_parked(subject, position):
                    return
                try:
                    events = self._publisher.publish(step.stored, step.recorded)
                except Exception:  # told by who looks closer
                    return
                with event_span_apart(self.name, step.stored) as work:
                    for event in events:
                        name = (event.id, position)
                        if not self._wants(event.type) or self._attempts.is_done(name):
                            continue
                        with publish_span_apart(self._destination, event, work):
                            yield event
                        acknowledged += 1
                        self._attempts.done(name)
            done.add(subject)
        finally:
            self._acknowledged.inc(acknowledged)

    def outside(self) -> Sequence[Policy]:
        """Of the destination."""
        return [self._delivery.policy]

    async def _relay(self, stored: StoredEvent, recorded: RecordedEvent[Any]) -> None:
        for event in self._publisher.publish(stored, recorded):
            # Not the position alone: the log may be another one by now, restored from an older backup.
            name = (event.id, stored.position)
            if not self._wants(event.type) or self._attempts.is_done(name):
                continue
            try:
                with publish_span(self._destination, event):
                    await self._delivery.deliver(event)
            except EventRefused:
                DELIVERIES.labels(self.name, "refused").inc()
                raise
            except DependencyUnavailable as error:
                DELIVERIES.labels(self.name, "unavailable").inc()
                self._attempts.failed(name, error)
                raise
            self._acknowledged.inc()
            self._attempts.done(name)
