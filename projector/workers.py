"""The projections that run in this process: started and stopped so that they match what it is to fold."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator, Mapping, Sequence

import structlog
from msgspec import Struct

from infrastructure.event_codec import EventCodec
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import backoff
from infrastructure.view_registry.checkpoints import checkpoint_key
from projector import metrics
from projector.dead_letters.replaying import replay_all
from projector.dead_letters.requests import ReplayAnswer, ReplayRequest, ReplayRequests
from projector.errors import Stopping
from projector.feeding.checkpoint_writer import CheckpointWriter
from projector.feeding.feeds import Feeds
from projector.feeding.projection import Projection
from projector.folding.share import Share
from projector.membership.member import ShardReport
from projector.patience import Delays, PatientStore, pause
from projector.ports import DocumentStore, EventLog
from read_models.model.view import View

log = structlog.get_logger(__name__)

FAILURE_LIMIT = 100
"""How many keys may fail in a row before the view's fold is taken to be at fault, rather than the events."""


class Limits(Struct, frozen=True):
    """`cache` bounds the documents kept in memory for each build, `buffer` the events that wait for it."""

    cache: int
    buffer: int


class Wanted(Struct, frozen=True):
    """What is to be folded here: a view's share of a build, and up to where at most (None: on and on)."""

    view: View
    share: Share
    limit: int | None = None


class Worker:
    """One projection. `stop` asks it to finish; `replayed` are the requests for a replay that it has dealt with."""

    def __init__(self, wanted: Wanted, projection: Projection, stop: asyncio.Event) -> None:
        self.wanted = wanted
        self.projection = projection
        self.stop = stop
        self.trouble: str | None = None
        self.replayed: set[str] = set()


class Workers:
    """At most one projection for each build. `changed` is called whenever one has ended or may do so soon."""

    def __init__(
        self,
        store: DocumentStore,
        event_log: EventLog,
        codec: EventCodec,
        feeds: Feeds,
        checkpoints: CheckpointWriter,
        limits: Limits,
        changed: asyncio.Event,
        delays: Delays = backoff,
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._log = event_log
        self._codec = codec
        self._checkpoints = checkpoints
        self._limits = limits
        self._changed = changed
        self._delays = delays
        self._pauses: dict[str, Iterator[float]] = {}
        self._workers: dict[str, Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def projections(self) -> list[Projection]:
        """Those that run now."""
        return [worker.projection for worker in self._workers.values()]

    def match(self, wanted: Mapping[str, Wanted]) -> None:
        """Starts what is wanted (by collection) and does not run, stops what runs otherwise than is wanted."""
        for collection, worker in self._workers.items():
            if worker.wanted != wanted.get(collection) and not worker.stop.is_set():
                worker.stop.set()
                self._feeds.stop(worker.projection)
        new = [self._worker(wanted[collection]) for collection in wanted if collection not in self._workers]
        if new:
            self._workers |= {worker.projection.collection: worker for worker in new}
            self._spawn(self._start(new))

    def runs(self, collection: str) -> bool:
        """Whether anything of the build may still be written by this process."""
        return collection in self._workers

    async def close(self) -> None:
        """Lets every projection finish what it has begun."""
        self.match({})
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def replay(self, request: ReplayRequest, requests: ReplayRequests) -> None:
        """Does this process's part of a request, for every build of the view that it folds; once each."""
        for worker in self._workers.values():
            projection = worker.projection
            running = self._feeds.of(projection) is not None or projection.broken is not None
            if projection.view.name == request.view and running and request.request not in worker.replayed:
                worker.replayed.add(request.request)
                self._spawn(self._replay(worker, request, requests))

    async def _replay(self, worker: Worker, request: ReplayRequest, requests: ReplayRequests) -> None:
        projection = worker.projection
        # Its feed need not wait for it: it goes on by itself from where it stands when the replay is over.
        self._feeds.detach(projection)
        try:
            keys, fault = await replay_all(projection, self._log, self._codec, request)
            owned = sorted(projection.share.owned)
            await requests.answer(ReplayAnswer(request.request, projection.collection, owned, keys, fault))
        except Stopping:
            return
        except (ReadStoreUnavailable, ReadStoreRefused) as error:
            worker.replayed.discard(request.request)
            log.warning("the answer to a replay could not be given; trying again", error=str(error))
        if projection.broken is None and not worker.stop.is_set():
            self._feeds.start([projection])

    def reports(self) -> list[ShardReport]:
        """How each shard of this process does."""
        return [
            ShardReport(checkpoint_key(share.build.collection, share.layout, partition), *self._condition(worker))
            for worker in self._workers.values()
            for share in [worker.projection.share]
            for partition in sorted(share.owned)
        ]

    def _condition(self, worker: Worker) -> tuple[str, float | None, str | None]:
        projection = worker.projection
        if projection.broken is not None:
            return "stopped", None, projection.broken
        feed = self._feeds.of(projection)
        trouble = worker.trouble or projection.store.trouble or (feed and feed.trouble) or None
        if trouble is not None:
            return "waiting", None, trouble
        if feed is None or not feed.connected:
            return "starting", None, None
        rate = projection.rate.per_second
        return ("live" if feed.caught_up else "catching_up"), rate and round(rate, 1), None

    def _worker(self, wanted: Wanted) -> Worker:
        view, stop = wanted.view, asyncio.Event()
        projection = Projection(
            view,
            wanted.share,
            PatientStore(self._store, stop, view.name, self._delays),
            self._checkpoints,
            capacity=self._limits.cache,
            buffer=self._limits.buffer,
            failure_limit=FAILURE_LIMIT,
            limit=wanted.limit,
        )
        return Worker(wanted, projection, stop)

    async def _start(self, workers: Sequence[Worker]) -> None:
        """Reads back where all of them left off, then feeds those that are near each other together."""
        outcomes = await asyncio.gather(*(worker.projection.start() for worker in workers), return_exceptions=True)
        ready = []
        for worker, outcome in zip(workers, outcomes, strict=True):
            if outcome is None and not worker.stop.is_set():
                ready.append(worker)
            else:
                self._spawn(self._end(worker, outcome))
        if ready:
            self._feeds.start([worker.projection for worker in ready])
        for worker in ready:
            self._spawn(self._run(worker))

    async def _run(self, worker: Worker) -> None:
        fault: BaseException | None = None
        try:
            await worker.projection.run()
        except Exception as error:
            fault = error
        self._feeds.stop(worker.projection)
        if worker.projection.broken is not None:
            self._changed.set()
            await worker.stop.wait()
        await self._end(worker, fault)

    async def _end(self, worker: Worker, fault: BaseException | None) -> None:
        """Nothing more is written for it after this; what failed for no known reason is begun again after a pause."""
        projection = worker.projection
        if fault is not None and not isinstance(fault, Stopping):
            worker.trouble = f"{type(fault).__name__}: {fault}"
            log.error(
                "a projection failed; starting again from its checkpoint", view=projection.view.name, exc_info=fault
            )
            metrics.RESTARTS.labels(projection.view.name).inc()
            with contextlib.suppress(Stopping):
                await pause(worker.stop, next(self._pauses.setdefault(projection.collection, self._delays())))
        else:
            self._pauses.pop(projection.collection, None)
        await self._checkpoints.settled(projection)
        del self._workers[projection.collection]
        self._changed.set()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
