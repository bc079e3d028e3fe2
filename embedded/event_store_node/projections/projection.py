"""A running system projection: follows the log from its checkpoint and emits, until it is stopped."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum

from embedded.event_store_node.log.broker import Broker, BrokerClosedError, LiveBuffer
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.reader import PAGE_EVENTS, Reader
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.projections.definitions import Definition, source, takes
from embedded.event_store_node.projections.emitter import Emitted, Emitter, ProjectionFault, StorageFailure
from embedded.event_store_node.projections.store import ProjectionStore
from embedded.event_store_node.projections.tag import ProjectionVersion

logger = logging.getLogger(__name__)

# A crash costs at most this many events looked at again; none of them is emitted again.
_CHECKPOINT_EVENTS = 4096
_RETRY_SECONDS = 1.0


class Status(StrEnum):
    RUNNING = "Running"
    STOPPED = "Stopped"
    ABORTED = "Aborted"
    FAULTED = "Faulted"


class SystemProjection:
    """
    One system projection and its counters. `position` is how far in the log it has come, `checkpoint` how much
    of that it would remember after a crash. Its commands come one at a time.
    """

    def __init__(self, definition: Definition, writer: Writer, reader: Reader, broker: Broker) -> None:
        self.definition = definition
        self._writer = writer
        self._reader = reader
        self._broker = broker
        self._store = ProjectionStore(definition, writer, reader)
        self._task: asyncio.Task[None] | None = None
        self._live: LiveBuffer | None = None
        self._stopping = asyncio.Event()
        self._lock = asyncio.Lock()
        self.settings = self._store.settings()
        self.status = Status.STOPPED
        self.fault = ""
        self.position = self.checkpoint = self._store.checkpoint(self.settings.epoch)
        self.events_processed = 0
        self.busy_seconds = 0.0
        self._unsaved_events = 0

    @property
    def is_caught_up(self) -> bool:
        return self.position >= self._broker.last_position

    @property
    def version(self) -> ProjectionVersion:
        return ProjectionVersion(self.definition.number, self.settings.epoch, self.settings.version)

    async def start(self) -> None:
        """Run, if the projection is enabled."""
        async with self._lock:
            if self.settings.enabled:
                self._start()

    async def stop(self) -> None:
        """Finish what is in hand and remember how far it is; the projection stays enabled or disabled."""
        async with self._lock:
            await self._stop(Status.STOPPED, write_checkpoint=True)

    async def enable(self) -> None:
        """
        Run from now on.

        Raises:
            StorageFailure: that could not be remembered.
        """
        async with self._lock:
            if self.settings.enabled and self.status is Status.RUNNING:
                return
            await self._stop(Status.STOPPED, write_checkpoint=True)
            self.settings = await self._store.save_settings(enabled=True)
            self._start()

    async def disable(self, write_checkpoint: bool) -> None:
        """
        Run no more, until enabled again. Without a checkpoint, the last one is where it will go on from.

        Raises:
            StorageFailure: that could not be remembered.
        """
        async with self._lock:
            await self._stop(Status.STOPPED if write_checkpoint else Status.ABORTED, write_checkpoint)
            self.settings = await self._store.save_settings(enabled=False)

    async def reset(self) -> None:
        """
        Emit everything anew from the first event of the log, after what is there, which is truncated.

        Raises:
            StorageFailure: that could not be remembered.
        """
        async with self._lock:
            status = self.status
            await self._stop(Status.STOPPED if status is Status.RUNNING else status, write_checkpoint=False)
            self.settings = await self._store.save_settings(self.settings.enabled, reset=True)
            self.position = self.checkpoint = 0
            if self.settings.enabled:
                self._start()

    def _start(self) -> None:
        if self._task is not None and not self._task.done():
            return
        self.position = self.checkpoint
        self.status, self.fault = Status.RUNNING, ""
        self.events_processed = self._unsaved_events = 0
        self._stopping.clear()
        self._task = asyncio.create_task(self._run())

    async def _stop(self, status: Status, write_checkpoint: bool) -> None:
        if self._task is None:
            self.status = status
            return
        self._stopping.set()
        if self._live is not None:
            self._live.close()
        await self._task
        self._task = None
        if write_checkpoint and self.position > self.checkpoint:
            await self._save_checkpoint()
        self.status = status

    # The running projection

    async def _run(self) -> None:
        emitter = Emitter(self._writer, self._reader, self.version)
        try:
            with self._broker.subscription() as self._live:
                while not self._stopping.is_set():
                    await self._catch_up(emitter, self._live)
                    while (events := await self._live.take()) is not None:
                        await self._process(emitter, events, events[-1].position)
        except BrokerClosedError:
            pass
        except ProjectionFault as fault:
            self._fail(str(fault))
        except Exception as error:
            logger.exception("%s failed", self.definition.name)
            self._fail(repr(error))
        finally:
            self._live = None

    def _fail(self, reason: str) -> None:
        logger.error("%s is faulted: %s", self.definition.name, reason)
        self.status, self.fault = Status.FAULTED, reason

    async def _catch_up(self, emitter: Emitter, live: LiveBuffer) -> None:
        is_end = False
        while not is_end:
            # Nothing can be committed unseen between the reset and the read: both happen in one turn of the loop.
            live.reset()
            page = self._reader.all_forwards(self.position + 1, PAGE_EVENTS)
            is_end = page.is_end
            if page.last_position is not None:
                await self._process(emitter, page.events, page.last_position)
            if self._stopping.is_set():
                raise BrokerClosedError
            await asyncio.sleep(0)

    async def _process(self, emitter: Emitter, events: Sequence[LoggedEvent], last_position: int) -> None:
        begun = time.perf_counter()
        emitted = self._emitted(events)
        self.busy_seconds += time.perf_counter() - begun
        if emitted:
            await self._persist(emitter, emitted)
        self.position = max(self.position, last_position)
        self._unsaved_events += len(events)
        if self._unsaved_events >= _CHECKPOINT_EVENTS:
            await self._save_checkpoint()

    def _emitted(self, events: Sequence[LoggedEvent]) -> list[Emitted]:
        emitted: list[Emitted] = []
        for event in events:
            if event.position <= self.position or not takes(self.definition, event):
                continue
            full = source(event)
            if full is None:
                continue
            self.events_processed += 1
            emission = self.definition.emit(full)
            if emission is not None:
                emitted.append((full, emission))
        return emitted

    async def _persist(self, emitter: Emitter, emitted: list[Emitted]) -> None:
        """Append, again and again while the storage fails."""
        while True:
            try:
                return await emitter.emit(emitted)
            except StorageFailure as failure:
                logger.warning("%s waits: %s", self.definition.name, failure)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _RETRY_SECONDS)
                raise BrokerClosedError

    async def _save_checkpoint(self) -> None:
        """Remember the position; if the storage fails, a later checkpoint will do."""
        position, self._unsaved_events = self.position, 0
        try:
            await self._store.save_checkpoint(self.version, position)
            self.checkpoint = position
        except StorageFailure as failure:
            logger.warning("%s: %s", self.definition.name, failure)
