"""Reacts to triggers: what is decided is appended to the instance's stream before any of it is carried out."""

from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from msgspec import Struct

from domain.model.process_events import ProcessEnded
from infrastructure.clock import utc_now
from infrastructure.event_store import WrongExpectedRevision
from infrastructure.exemplars import exemplar
from process_manager import metrics
from process_manager.instances.instance import Instance, Recorded
from process_manager.instances.reaction import Routes, Trigger, of_recorded, reaction
from process_manager.instances.streams import InstanceStreams
from process_manager.running.spans import reaction_span

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


class Reactor:
    """Of one process. `changed` is called with each instance that has reacted, and carries out what is new."""

    def __init__(
        self, streams: InstanceStreams, routes: Routes, changed: Callable[[Instance], None], clock: Clock = utc_now
    ) -> None:
        self.streams = streams
        self.clock = clock
        self._routes = routes
        self._changed = changed

    async def react(
        self,
        instance_id: str,
        trigger: Trigger,
        *,
        starts: bool = False,
        reopens: bool = False,
        correlation_id: str = "",
    ) -> None:
        """Decides on a trigger unless that was done before. An instance that has not begun takes no notice of what does
        not start it, one that has ended of what does not reopen it.

        Raises what the event store and the process raise.
        """
        async with self.streams.alone(instance_id):
            instance = await self.streams.load(instance_id)
            if _is_deaf(instance, trigger, starts=starts, reopens=reopens):
                return
            with reaction_span(instance, trigger):
                while not _is_deaf(instance, trigger, starts=starts, reopens=reopens):
                    events = reaction(instance, trigger, self._routes, self.clock())
                    if not events:
                        return
                    try:
                        await self.streams.append(
                            instance, events, correlation_id=correlation_id, causation_id=trigger.id
                        )
                    except WrongExpectedRevision:
                        instance = await self.streams.reload(instance_id)
                        continue
                    self._count(trigger, instance, events)
                    self._changed(instance)

    async def record(self, instance_id: str, what: Callable[[Instance], Recorded | None]) -> None:
        """Records what has happened to an instance, and reacts to it in the same append. `what` gives None when it does
        not matter any more.

        When the process fails to decide, only what has happened is recorded: it then comes from the log again, as
        something undecided, and stops this instance alone. Raises what the event store raises.
        """
        async with self.streams.alone(instance_id):
            instance = await self.streams.load(instance_id)
            while (event := what(instance)) is not None:
                trigger = of_recorded(event, new=True)
                with reaction_span(instance, trigger):
                    try:
                        events = reaction(instance, trigger, self._routes, self.clock())
                    except Exception:
                        process = self.streams.process.name
                        log.exception("a process failed to decide", process=process, instance=instance_id)
                        events = [event]
                    try:
                        await self.streams.append(instance, events, causation_id=trigger.id)
                    except WrongExpectedRevision:
                        instance = await self.streams.reload(instance_id)
                        continue
                    self._count(trigger, instance, events)
                    self._changed(instance)
                    return
            self._changed(instance)

    def _count(self, trigger: Trigger, instance: Instance, events: Iterable[Struct]) -> None:
        process = self.streams.process.name
        metrics.REACTIONS.labels(process, trigger.kind).inc()
        for event in events:
            if isinstance(event, ProcessEnded) and instance.started_at is not None:
                seconds = (event.at - instance.started_at).total_seconds()
                metrics.DURATION.labels(process, event.outcome).observe(max(0.0, seconds), exemplar())
        for failure in instance.failures.values():
            if trigger.kind == "answer" and failure.step == trigger.name:
                metrics.FAILED.labels(process).inc()
                log.error(
                    "a compensation failed: somebody must see to it",
                    process=process,
                    instance=instance.id,
                    step=failure.step,
                    code=failure.code,
                    detail=failure.detail,
                )


def _is_deaf(instance: Instance, trigger: Trigger, *, starts: bool, reopens: bool) -> bool:
    if trigger.id in instance.handled or (not instance.begun and not starts):
        return True
    return bool(instance.outcome) and trigger.kind == "event" and not reopens
