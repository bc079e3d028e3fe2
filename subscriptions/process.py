"""One process of consumers: its parts put together over two stores, and run for as long as its HTTP application is."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic

from litestar import Litestar

from infrastructure.event_codec import EventCodec
from infrastructure.http.health import Probe
from infrastructure.http.service import Lifespan
from infrastructure.resilience import backoff
from infrastructure.settings import Settings
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.coordination.followers import Followers
from subscriptions.coordination.rebalancing import Rebalancer
from subscriptions.coordination.workload import Workload
from subscriptions.following.checkpoint_writer import CheckpointWriter
from subscriptions.following.feeds import Feeds
from subscriptions.following.follower import Follower
from subscriptions.membership.heartbeat import Heartbeat
from subscriptions.membership.leases import Leases
from subscriptions.ports import DocumentStore, EventLog
from subscriptions.replaying.requests import ReplayRequests
from subscriptions.store.retrying_store import Delays, RetryingStore

REPLAY_TIMEOUT = 20.0
"""How long, in seconds, a retry of dead letters waits for the processes that have the partitions."""


STUCK_AFTER = 60.0
"""After so many seconds at the same events the projector counts as stuck: folds are pure, and a batch takes moments."""


class NotReady(Exception):
    """The consumers can't do their work; the text, for /health/ready, says why."""


def create_coordinator(
    service: str,
    workload: Workload,
    event_log: EventLog,
    codec: EventCodec,
    store: DocumentStore,
    settings: Settings,
    stop: asyncio.Event,
    *,
    idle_check: float = 5.0,
    delays: Delays = backoff,
) -> Coordinator:
    """The coordinator of a process of `service`, with all that it needs; its `run` ends when `stop` is set.

    `idle_check` is in seconds, as in subscriptions.following.feed.Feed.
    """
    heartbeat = Heartbeat(store, service, settings.consumers.name, workload.abilities, settings.consumers.lease)
    changed = asyncio.Event()
    feeds = Feeds(event_log, codec, buffer=settings.consumers.batch, idle_check=idle_check, delays=delays)
    checkpoints = CheckpointWriter(RetryingStore(store, stop, "checkpoints", delays), heartbeat.instance)
    followers = Followers(workload, store, feeds, checkpoints, changed, buffer=settings.consumers.batch, delays=delays)
    return Coordinator(
        workload,
        heartbeat,
        Rebalancer(Leases(store), heartbeat),
        followers,
        ReplayRequests(store),
        changed,
        stop,
        interval=settings.consumers.lease / 6,
        delays=delays,
    )


def running(
    coordinator: Coordinator, stop: asyncio.Event, grace: float, *closers: Callable[[], Awaitable[None]]
) -> Lifespan:
    """A lifespan that runs the coordinator and, at the end, lets the current batch be finished within `grace` seconds
    (what is cut off is done again at the next start), then calls each closer."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(coordinator.run())
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=grace)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for close in closers:
                await close()

    return lifespan


def consumers_run(coordinator: Coordinator, *, stuck_after: float = math.inf) -> Probe:
    """Fails while a consumer is stopped by its own fault, on another log, waits for a store, or has been at work on the
    same events for over `stuck_after` seconds. One that lags is at work, and one that waits for something outside does
    not prevent the others.
    """

    async def probe() -> None:
        if coordinator.trouble is None and coordinator.workload.names and not coordinator.targets:
            raise NotReady("the process has yet to find out what it is to do")
        stopped = [
            f"{one.consumer.name} is stopped: {one.broken}" for one in coordinator.followers.running if one.broken
        ]
        if stopped:
            raise NotReady("; ".join(stopped))
        stuck = [one.consumer.name for one in coordinator.followers.running if _seconds_at_work(one) > stuck_after]
        if stuck:
            raise NotReady(f"{', '.join(stuck)}: at work on the same events for over {stuck_after:g} s")
        waiting = [f"{one.partition}: {one.trouble}" for one in coordinator.followers.waiting()]
        if waiting or coordinator.trouble:
            raise NotReady("; ".join(waiting) or str(coordinator.trouble))

    return probe


def _seconds_at_work(follower: Follower) -> float:
    since = follower.throughput.working_since
    return 0.0 if since is None else monotonic() - since
