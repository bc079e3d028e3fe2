"""The followers that run in this process: started and stopped until they match what is desired."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator, Mapping, Sequence

import structlog

from infrastructure.checkpoints import PartitionRef, missing_for_target
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable, backoff
from subscriptions import metrics
from subscriptions.coordination.worker import Desired, Worker
from subscriptions.coordination.workload import Workload
from subscriptions.errors import Stopping
from subscriptions.following.checkpoint_writer import CheckpointWriter
from subscriptions.following.feeds import Feeds
from subscriptions.following.follower import Follower
from subscriptions.membership.member import PartitionReport
from subscriptions.ports import DocumentStore
from subscriptions.replaying.replay import replay_part
from subscriptions.replaying.requests import ReplayRequest, ReplayRequests, ReplayResponse
from subscriptions.store.retrying_store import Delays, RetryingStore, pause

log = structlog.get_logger(__name__)

# How often, in seconds, a consumer that stopped on another log looks whether it is back.
_BETWEEN_LOG_CHECKS = 5.0
_FOR_EVER = 1e9

FAILURE_LIMIT = 100
"""How many keys may fail in a row before the fault counts as the consumer's own, not the events'."""


class Followers:
    """At most one follower for each target. `buffer` bounds the events that wait for each; `changed` is set whenever
    one has ended or may end soon."""

    def __init__(
        self,
        workload: Workload,
        store: DocumentStore,
        feeds: Feeds,
        checkpoints: CheckpointWriter,
        changed: asyncio.Event,
        *,
        buffer: int,
        delays: Delays = backoff,
    ) -> None:
        self._workload = workload
        self._store = store
        self._feeds = feeds
        self._checkpoints = checkpoints
        self._changed = changed
        self._buffer = buffer
        self._delays = delays
        self._pauses: dict[str, Iterator[float]] = {}
        self._workers: dict[str, Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: asyncio.Task[None] | None = None

    @property
    def running(self) -> list[Follower]:
        return [worker.follower for worker in self._workers.values()]

    async def prepare(self) -> None:
        """Checks that checkpoints can be stored, and begins to write them."""
        await self._checkpoints.prepare()
        if self._writing is None:
            self._writing = asyncio.create_task(self._checkpoints.run())

    def follows(self, ref: PartitionRef) -> bool:
        """Whether the partition is handled here."""
        assignments = [worker.follower.assignment for worker in self._workers.values()]
        return any(
            (one.target.name, one.target.partition_epoch) == (ref.target.name, ref.target.partition_epoch)
            and ref.partition in one.owned
            for one in assignments
        )

    async def recount(self) -> None:
        """Counts the dead letters again, for each follower that has some."""
        for follower in self.running:
            if follower.parking.count:
                await follower.parking.recount(self._store)

    def reconcile(self, desired: Mapping[str, Desired]) -> None:
        """Starts what is desired (by target) and does not run, stops what runs and is not desired."""
        for target, worker in self._workers.items():
            if worker.desired != desired.get(target) and not worker.stop.is_set():
                worker.stop.set()
                self._feeds.stop(worker.follower)
        new = [self._worker(one) for target, one in desired.items() if target not in self._workers]
        if new:
            self._workers |= {worker.follower.target: worker for worker in new}
            self._spawn(self._start(new))

    def runs(self, target: str) -> bool:
        """Whether anything of the target may still be written by this process."""
        return target in self._workers

    async def close(self) -> None:
        """Lets every follower finish what it has begun."""
        self.reconcile({})
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._feeds.close()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def replay(self, request: ReplayRequest, requests: ReplayRequests) -> None:
        """Does this process's part of a request, for every target of the consumer that it follows; once each."""
        for worker in self._workers.values():
            follower = worker.follower
            running = self._feeds.of(follower) is not None or follower.broken is not None
            if follower.consumer.name == request.consumer and running and request.request not in worker.replayed:
                worker.replayed.add(request.request)
                self._spawn(self._replay(worker, request, requests))

    async def _replay(self, worker: Worker, request: ReplayRequest, requests: ReplayRequests) -> None:
        follower = worker.follower
        # Its feed need not wait for it: it continues by itself from its own position when the replay is over.
        self._feeds.detach(follower)
        try:
            keys, fault = await replay_part(follower, self._feeds.log, self._feeds.codec, request)
            owned = sorted(follower.assignment.owned)
            await requests.respond(ReplayResponse(request.request, follower.target, owned, keys, fault))
        except Stopping:
            return
        except (ReadStoreUnavailable, ReadStoreRefused) as error:
            worker.replayed.discard(request.request)
            log.warning(
                "the response to a replay could not be given; trying again",
                consumer=follower.consumer.name,
                error=str(error),
            )
        if follower.broken is None and not worker.stop.is_set():
            self._feeds.start([follower])

    def reports(self) -> list[PartitionReport]:
        """The state of each partition that is followed here."""
        return [
            PartitionReport(ref.key, *worker.condition(self._feeds.of(worker.follower)))
            for worker in self._workers.values()
            for ref in worker.follower.assignment.refs
        ]

    def waiting(self) -> list[PartitionReport]:
        """The partitions that have trouble, other than waiting for what is outside."""
        troubled = {
            ref.key
            for worker in self._workers.values()
            for ref in worker.follower.assignment.refs
            if not worker.waits_for_outside
        }
        return [report for report in self.reports() if report.trouble and report.partition in troubled]

    def _worker(self, desired: Desired) -> Worker:
        stop, assignment = asyncio.Event(), desired.assignment
        store = RetryingStore(self._store, stop, assignment.target.consumer, self._delays)
        follower = Follower(
            self._workload.consumer(assignment, store),
            assignment,
            store,
            self._checkpoints,
            buffer=self._buffer,
            failure_limit=FAILURE_LIMIT,
            limit=desired.limit,
        )
        return Worker(desired, follower, stop)

    async def _start(self, workers: Sequence[Worker]) -> None:
        """Loads where all of them stopped, then feeds those that are near each other together."""
        outcomes = await asyncio.gather(*(worker.follower.start() for worker in workers), return_exceptions=True)
        ready = []
        for worker, outcome in zip(workers, outcomes, strict=True):
            if outcome is None and not worker.stop.is_set():
                ready.append(worker)
            else:
                self._spawn(self._end(worker, outcome))
        if ready:
            self._feeds.start([worker.follower for worker in ready])
        for worker in ready:
            self._spawn(self._run(worker))

    async def _run(self, worker: Worker) -> None:
        fault: BaseException | None = None
        began_at = worker.follower.handled
        try:
            await worker.follower.run()
        except Exception as error:
            fault = error
        self._feeds.stop(worker.follower)
        if worker.follower.handled > began_at:
            self._pauses.pop(worker.follower.target, None)  # this fault is not the last one again
        if worker.follower.broken is not None:
            self._changed.set()
            await self._until_it_may_go_on(worker)
        await self._end(worker, fault)

    async def _until_it_may_go_on(self, worker: Worker) -> None:
        """A consumer that is stopped waits until its work is somebody else's; one that was on another log may go on
        when that log is there again."""
        while not worker.stop.is_set():
            place = worker.follower.place
            with contextlib.suppress(Stopping):
                await pause(worker.stop, _BETWEEN_LOG_CHECKS if place.missing is not None else _FOR_EVER)
            if place.missing is not None and await self._is_back(worker):
                return

    async def _is_back(self, worker: Worker) -> bool:
        follower = worker.follower
        try:
            again = await missing_for_target(
                self._feeds.log, follower.assignment.target, await self._checkpoints.load(follower.assignment)
            )
        except (EventStoreUnavailable, Stopping):
            return False
        if again is None:
            log.info("the log is the one of the checkpoint again", consumer=follower.consumer.name)
        return again is None

    async def _end(self, worker: Worker, fault: BaseException | None) -> None:
        """The last step of a worker; one that failed is started again after a pause."""
        follower = worker.follower
        if fault is not None and not isinstance(fault, Stopping):
            worker.trouble = f"{type(fault).__name__}: {fault}"
            consumer = follower.consumer.name
            seconds = next(self._pauses.setdefault(follower.target, self._delays()))
            worker.waits_for_outside = isinstance(fault, DependencyUnavailable)
            if isinstance(fault, DependencyUnavailable):
                log.warning("a consumer waits for what it depends on", consumer=consumer, error=str(fault))
                seconds = max(seconds, 0.0 if fault.alone else fault.retry_after)
            else:
                log.error("a consumer failed; starting again from its checkpoint", consumer=consumer, exc_info=fault)
                metrics.RESTARTS.labels(consumer).inc()
            with contextlib.suppress(Stopping):
                await pause(worker.stop, seconds)
        else:
            self._pauses.pop(follower.target, None)
        await self._checkpoints.flushed(follower)
        del self._workers[follower.target]
        self._changed.set()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
