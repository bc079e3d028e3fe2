"""One run of a system projection: follows the log from its checkpoint and emits, until it is stopped."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from embedded.event_store_node.log.broker import Broker, BrokerClosedError, LiveBuffer
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.reader import PAGE_EVENTS, Reader
from embedded.event_store_node.projections.definitions import Definition, source, takes
from embedded.event_store_node.projections.emitter import Emitted, Emitter, StorageFailure
from embedded.event_store_node.projections.progress import Progress
from embedded.event_store_node.projections.store import ProjectionStore
from embedded.event_store_node.projections.tag import ProjectionVersion

logger = logging.getLogger(__name__)

# A crash costs at most this many events looked at again; none of them is emitted again.
_CHECKPOINT_EVENTS = 4096
_RETRY_SECONDS = 1.0


class Run:
    """Moves `progress` on while it emits what the projection, in this version, makes of the log."""

    def __init__(
        self,
        definition: Definition,
        version: ProjectionVersion,
        progress: Progress,
        store: ProjectionStore,
        emitter: Emitter,
        reader: Reader,
        broker: Broker,
    ) -> None:
        self._definition = definition
        self._version = version
        self._progress = progress
        self._store = store
        self._emitter = emitter
        self._reader = reader
        self._broker = broker
        self._live: LiveBuffer | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """
        Follow the log until `stop` or the node's end.

        Raises:
            ProjectionFault: it can't go on before somebody has mended something.
        """
        try:
            with self._broker.subscription() as self._live:
                while not self._stopping.is_set():
                    await self._catch_up(self._live)
                    while (events := await self._live.take()) is not None:
                        await self._process(events, events[-1].position)
        except BrokerClosedError:
            pass
        finally:
            self._live = None

    def stop(self) -> None:
        """Finish what is in hand, and end."""
        self._stopping.set()
        if self._live is not None:
            self._live.close()

    async def save_checkpoint(self) -> None:
        """Remember the position; if the storage fails, a later checkpoint will do."""
        position, self._progress.unsaved_events = self._progress.position, 0
        try:
            await self._store.save_checkpoint(self._version, position)
            self._progress.checkpoint = position
        except StorageFailure as failure:
            logger.warning("%s: %s", self._definition.name, failure)

    async def _catch_up(self, live: LiveBuffer) -> None:
        is_end = False
        while not is_end:
            # Nothing can be committed unseen between the reset and the read: both happen in one turn of the loop.
            live.reset()
            page = self._reader.all_forwards(self._progress.position + 1, PAGE_EVENTS)
            is_end = page.is_end
            if page.last_position is not None:
                await self._process(page.events, page.last_position)
            if self._stopping.is_set():
                raise BrokerClosedError
            await asyncio.sleep(0)

    async def _process(self, events: Sequence[LoggedEvent], last_position: int) -> None:
        progress = self._progress
        begun = time.perf_counter()
        emitted = self._emitted(events)
        progress.busy_seconds += time.perf_counter() - begun
        if emitted:
            await self._persist(emitted)
        progress.position = max(progress.position, last_position)
        progress.unsaved_events += len(events)
        if progress.unsaved_events >= _CHECKPOINT_EVENTS:
            await self.save_checkpoint()

    def _emitted(self, events: Sequence[LoggedEvent]) -> list[Emitted]:
        emitted: list[Emitted] = []
        for event in events:
            if event.position <= self._progress.position or not takes(self._definition, event):
                continue
            full = source(event)
            if full is None:
                continue
            self._progress.events_processed += 1
            emission = self._definition.emit(full)
            if emission is not None:
                emitted.append((full, emission))
        return emitted

    async def _persist(self, emitted: list[Emitted]) -> None:
        """Append, again and again while the storage fails."""
        while True:
            try:
                return await self._emitter.emit(emitted)
            except StorageFailure as failure:
                logger.warning("%s waits: %s", self._definition.name, failure)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _RETRY_SECONDS)
                raise BrokerClosedError
