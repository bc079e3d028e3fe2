"""The instances of one process that are in this process's hands: what is to be done for them is done, and found again
after a crash."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from msgspec import Struct

from domain.model.process import Process
from domain.model.process_events import TimerFired, TimerSet
from infrastructure.clock import now_millis, utc_now
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStoreUnavailable, StreamDeleted
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import backoff
from process_manager import metrics
from process_manager.instances.index import InstanceIndex
from process_manager.instances.instance import Instance
from process_manager.instances.reaction import Routes
from process_manager.instances.streams import InstanceStreams, StreamStore
from process_manager.running.alarms import Alarms
from process_manager.running.outbox import Delays, Outbox
from process_manager.running.reactor import Reactor
from process_manager.running.sender import CommandSender

log = structlog.get_logger(__name__)


class Surroundings(Struct, frozen=True):
    """What the runners of all processes share. Times are in seconds: `patience` as in Outbox, `interval` between two
    looks at what needs attention."""

    event_store: StreamStore
    codec: EventCodec
    index: InstanceIndex
    sender: CommandSender
    routes: Routes
    concurrency: int = 64
    patience: float = 300.0
    interval: float = 5.0
    delays: Delays = backoff


class Runner:
    """Of one process, for the instances that `is_ours` holds for. It works until it is closed."""

    def __init__(self, process: Process, around: Surroundings, is_ours: Callable[[str], bool]) -> None:
        self.process = process
        self.streams = InstanceStreams(around.event_store, around.codec, process)
        self.reactor = Reactor(self.streams, around.routes, self.follow)
        self._outbox = Outbox(
            around.sender,
            self.reactor,
            concurrency=around.concurrency,
            patience=around.patience,
            delays=around.delays,
        )
        self._alarms = Alarms(self._ring)
        self._index = around.index
        self._interval = around.interval
        self._delays = around.delays
        self._is_ours = is_ours
        self._tasks: set[asyncio.Task[None]] = set()
        self._firing: set[str] = set()
        self._closed = False

    def start(self) -> None:
        """Begins, once: sends what is open, and lets due timers fire, also of those that fell due while nobody ran."""
        if not self._tasks and not self._closed:
            self._spawn(self._alarms.run())
            self._spawn(self._watch())

    def stop(self) -> None:
        """Carries nothing out any more."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._outbox.stop()

    async def close(self) -> None:
        """As `stop`, and waits for the end of what is under way."""
        self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._outbox.close()

    def follow(self, instance: Instance) -> None:
        """Carries out what the instance has decided."""
        if not self._closed:
            self._outbox.follow(instance)
            self._alarms.follow(instance)

    async def _watch(self) -> None:
        """Finds what needs attention and is in nobody's memory: after a start, and after a fault."""
        while True:
            try:
                await self._look()
            except (ReadStoreUnavailable, ReadStoreRefused, EventStoreUnavailable) as error:
                log.warning("instances that need attention can't be found", process=self.process.name, error=str(error))
            except Exception:
                log.exception("the search for instances that need attention failed", process=self.process.name)
            await asyncio.sleep(self._interval)

    async def _look(self) -> None:
        until = now_millis() + round(self._interval * 1000)
        async for instance_id in self._index.needing_attention(self.process.name, until):
            if not self._is_ours(instance_id):
                continue
            if self._outbox.follows(instance_id) or self._alarms.follows(instance_id):
                continue
            try:
                async with self.streams.alone(instance_id):
                    instance = await self.streams.reload(instance_id)
                    self.follow(instance)
            except EventStoreUnavailable:
                raise
            except Exception as error:
                log.error(
                    "an instance can't be read", process=self.process.name, instance=instance_id, error=str(error)
                )
            else:
                await self._index.write([instance])

    def _ring(self, instance_id: str, timer: TimerSet) -> None:
        if timer.timer not in self._firing:
            self._firing.add(timer.timer)
            self._spawn(self._fire(instance_id, timer))

    async def _fire(self, instance_id: str, timer: TimerSet) -> None:
        fired = TimerFired(self.process.name, instance_id, timer.timer, timer.name, timer.due_at, utc_now())

        def still_set(instance: Instance) -> TimerFired | None:
            known = instance.timers.get(timer.name)
            return fired if known is not None and known.timer == timer.timer else None

        delays = self._delays()
        try:
            while True:
                try:
                    await self.reactor.record(instance_id, still_set)
                except StreamDeleted as error:
                    log.error(
                        "a timer can't fire",
                        process=self.process.name,
                        instance=instance_id,
                        timer=timer.name,
                        error=str(error),
                    )
                except Exception as error:
                    log.warning(
                        "a timer can't fire yet",
                        process=self.process.name,
                        instance=instance_id,
                        timer=timer.name,
                        error=str(error),
                    )
                    await asyncio.sleep(next(delays))
                    continue
                break
        finally:
            self._firing.discard(timer.timer)
        metrics.TIMERS.labels(self.process.name).inc()
        late = (fired.at - timer.due_at).total_seconds()
        metrics.TIMER_DELAY.labels(self.process.name).observe(max(0.0, late))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
