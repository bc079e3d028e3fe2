"""The writer: one thread that commits writes in groups, and tells the event loop after each commit."""

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from embedded.event_store_node.log.events import LoggedEvent, ProposedEvent
from embedded.event_store_node.log.log import Log
from embedded.event_store_node.log.writes import Failed, Kind, Outcome, WriteRequest

logger = logging.getLogger(__name__)

# How long a group waits for more writes, when the group before it showed that there are some to wait for.
LINGER_SECONDS = 0.002
_MAX_BATCH_WRITES = 1024
_MAX_BATCH_BYTES = 8 * 2**20
# Beyond this much waiting to be written, the services stop reading requests.
_MAX_QUEUED_BYTES = 64 * 2**20

OnCommit = Callable[[list[LoggedEvent]], None]
T = TypeVar("T")


class Writer:
    """
    Takes write requests on the event loop and commits them on a thread of its own. A request's `on_done` and
    `on_commit` (all new events, in position order) are called on the loop, only after the commit is durable.
    """

    def __init__(self, log: Log, on_commit: OnCommit) -> None:
        self._log = log
        self._on_commit = on_commit
        self._queue: deque[WriteRequest] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._refusal: str | None = None
        self._wanted = 1
        self._queued_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="event-log-writer", daemon=True)
        self._thread.start()

    def submit(self, write: WriteRequest) -> None:
        """Queue a write; its outcome comes through `on_done`."""
        self._queued_bytes += write.size
        if self._queued_bytes > _MAX_QUEUED_BYTES:
            self._room.clear()
        with self._condition:
            self._queue.append(write)
            if len(self._queue) >= self._wanted:
                self._condition.notify()

    async def write(self, kind: Kind, stream: str, expected: int, events: Sequence[ProposedEvent] = ()) -> Outcome:
        """Write and wait for the outcome; giving up the wait undoes nothing."""
        await self.room()
        done: asyncio.Future[Outcome] = self._loop.create_future()
        self.submit(
            WriteRequest(
                kind=kind,
                stream=stream,
                expected=expected,
                events=events,
                on_done=lambda outcome: None if done.done() else done.set_result(outcome),
                size=sum(event.size for event in events),
            )
        )
        return await done

    async def room(self) -> None:
        """Wait while too much is queued."""
        if not self._room.is_set():
            await self._room.wait()

    def perform(
        self, job: Callable[[sqlite3.Connection], T], gone: Callable[[T], Iterable[str]] = lambda _: ()
    ) -> "asyncio.Future[T]":
        """
        Run a short job on the writer's connection between two commits. It leaves no transaction open and
        changes nothing that writes are decided on: how streams end, and their metadata. Streams that it removed
        as a whole are named by `gone`, from the job's result.
        """
        done: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                if self._refusal is not None:
                    raise sqlite3.DatabaseError(self._refusal)
                result = self._log.perform(job, gone)
            except Exception as error:
                self._loop.call_soon_threadsafe(_settle, done, done.set_exception, error)
            else:
                self._loop.call_soon_threadsafe(_settle, done, done.set_result, result)

        with self._condition:
            self._jobs.append(run)
            self._condition.notify()
        return done

    def refuse(self, reason: str) -> None:
        """Write nothing from now on; every write and job fails for this reason."""
        self._refusal = reason

    async def close(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # let the last outcomes be delivered

    # On the writer's thread

    def _run(self) -> None:
        linger = False
        while self._wait_for_work():
            # One job between two batches: writes never wait for more than that.
            if self._jobs:
                self._jobs.popleft()()
            batch = self._next_batch(linger)
            if not batch:
                continue
            linger = len(batch) > 1
            outcomes, events = self._commit(batch)
            self._loop.call_soon_threadsafe(self._done, batch, outcomes, events)
            # What the batch refers to, calls among them, is the loop's to take down.
            del batch, outcomes, events

    def _wait_for_work(self) -> bool:
        """Wait for writes or jobs; False once closed and drained."""
        with self._condition:
            while not self._queue and not self._jobs and not self._closing:
                self._wanted = 1
                self._condition.wait()
            return bool(self._queue or self._jobs)

    def _next_batch(self, linger: bool) -> list[WriteRequest]:
        """The writes that wait."""
        with self._condition:
            if linger and self._queue and not self._closing:
                self._wanted = _MAX_BATCH_WRITES
                self._condition.wait(LINGER_SECONDS)
            batch: list[WriteRequest] = []
            size = 0
            while self._queue and len(batch) < _MAX_BATCH_WRITES and size < _MAX_BATCH_BYTES:
                batch.append(self._queue.popleft())
                size += batch[-1].size
            return batch

    def _commit(self, batch: Sequence[WriteRequest]) -> tuple[list[Outcome], list[LoggedEvent]]:
        if self._refusal is not None:
            return [Failed(self._refusal)] * len(batch), []
        try:
            return self._log.write(batch)
        except sqlite3.Error as error:
            logger.error("A batch of %d writes failed: %s", len(batch), error)
            return [Failed(str(error))] * len(batch), []
        except Exception:
            logger.exception("A batch of %d writes failed", len(batch))
            return [Failed("internal error")] * len(batch), []

    # Back on the event loop

    def _done(self, batch: Sequence[WriteRequest], outcomes: Sequence[Outcome], events: list[LoggedEvent]) -> None:
        self._queued_bytes -= sum(write.size for write in batch)
        if self._queued_bytes <= _MAX_QUEUED_BYTES:
            self._room.set()
        if events:
            self._on_commit(events)
        for write, outcome in zip(batch, outcomes, strict=True):
            write.on_done(outcome)


def _settle(future: "asyncio.Future[Any]", settle: Callable[[Any], None], outcome: object) -> None:
    if not future.done():
        settle(outcome)
