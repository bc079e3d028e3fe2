"""A system projection: enabled, disabled and reset by clients, and running or not."""

import asyncio
import logging
from enum import StrEnum

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.projections.definitions import Definition
from embedded.event_store_node.projections.emitter import Emitter, ProjectionFault
from embedded.event_store_node.projections.progress import Progress
from embedded.event_store_node.projections.run import Run
from embedded.event_store_node.projections.store import ProjectionStore
from embedded.event_store_node.projections.tag import ProjectionVersion

logger = logging.getLogger(__name__)


class Status(StrEnum):
    RUNNING = "Running"
    STOPPED = "Stopped"
    ABORTED = "Aborted"
    FAULTED = "Faulted"


class SystemProjection:
    """One system projection, its state and its figures. Its commands come one at a time."""

    def __init__(self, definition: Definition, writer: Writer, reader: Reader, broker: Broker) -> None:
        self.definition = definition
        self._writer = writer
        self._reader = reader
        self._broker = broker
        self._store = ProjectionStore(definition, writer, reader)
        # The run that was started last, until it is stopped.
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self.settings = self._store.settings()
        self.status = Status.STOPPED
        self.fault = ""
        self.progress = Progress(self._store.checkpoint(self.settings.epoch))

    @property
    def is_caught_up(self) -> bool:
        return self.progress.position >= self._broker.last_position

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
            self.progress.go_back_to_beginning()
            if self.settings.enabled:
                self._start()

    def _start(self) -> None:
        if self._task is not None and not self._task.done():
            return
        self.progress.go_back_to_checkpoint()
        self.status, self.fault = Status.RUNNING, ""
        emitter = Emitter(self._writer, self._reader, self.version)
        self._run = Run(self.definition, self.version, self.progress, self._store, emitter, self._reader, self._broker)
        self._task = asyncio.create_task(self._watch(self._run))

    async def _stop(self, status: Status, write_checkpoint: bool) -> None:
        if self._run is None or self._task is None:
            self.status = status
            return
        self._run.stop()
        await self._task
        run, self._run, self._task = self._run, None, None
        if write_checkpoint and self.progress.position > self.progress.checkpoint:
            await run.save_checkpoint()
        self.status = status

    async def _watch(self, run: Run) -> None:
        try:
            await run.run()
        except ProjectionFault as fault:
            self._fail(str(fault))
        except Exception as error:
            logger.exception("%s failed", self.definition.name)
            self._fail(repr(error))

    def _fail(self, reason: str) -> None:
        logger.error("%s is faulted: %s", self.definition.name, reason)
        self.status, self.fault = Status.FAULTED, reason
