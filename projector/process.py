"""One process of the projector: the builds of views as work, and the coordinator that has it done."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from infrastructure.event_codec import EventCodec
from infrastructure.resilience import backoff
from infrastructure.settings import Settings
from infrastructure.view_registry import ViewRegistry
from projector.builds.lifecycle import BuildLifecycle
from projector.builds.pausing import SwitchTimes
from projector.builds.workload import ViewWorkload
from read_models.model.view import View
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.following.follower import Follower
from subscriptions.ports import DocumentStore, EventLog
from subscriptions.process import create_coordinator
from subscriptions.store.retrying_store import Delays


class ProjectorProcess(Struct, frozen=True):
    """Runs as long as its coordinator does."""

    workload: ViewWorkload
    coordinator: Coordinator

    def live(self, view: str) -> Follower | None:
        """The follower that folds the view's live build in this process; None when another process does it."""
        record = self.workload.records.get(view)
        live = None if record is None else record.live.collection
        return next((one for one in self.coordinator.followers.running if one.target == live), None)


def create_projector_process(
    event_log: EventLog,
    codec: EventCodec,
    store: DocumentStore,
    views: Sequence[View],
    settings: Settings,
    stop: asyncio.Event,
    *,
    times: SwitchTimes | None = None,
    idle_check: float = 5.0,
    delays: Delays = backoff,
) -> ProjectorProcess:
    """Makes a process over its stores; the coordinator's `run` ends when `stop` is set. `idle_check` is in seconds, as
    in subscriptions.following.feed.Feed."""
    switch_times = times or SwitchTimes()
    registry = ViewRegistry(store)
    lifecycle = BuildLifecycle(
        store,
        event_log,
        registry,
        quiet=max(settings.consumers.lease, switch_times.previous_pause),
        grace=settings.projector.view_grace,
        times=switch_times,
    )
    workload = ViewWorkload(
        registry,
        lifecycle,
        views,
        partitions=settings.consumers.partitions,
        capacity=settings.projector.cache,
        times=switch_times,
        rebuilds=settings.projector.on_other_log == "rebuild",
    )
    coordinator = create_coordinator(
        "projector", workload, event_log, codec, store, settings, stop, idle_check=idle_check, delays=delays
    )
    return ProjectorProcess(workload, coordinator)
