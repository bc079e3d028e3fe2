"""The builds of views as work for the coordinator: the targets, which are paused, what this process is in charge of."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from infrastructure.checkpoints import Target
from infrastructure.checkpoints.target import ability
from infrastructure.clock import now_millis
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.view_registry import Build, ViewRecord, ViewRegistry
from projector.builds.lifecycle import BuildLifecycle, in_charge
from projector.builds.pausing import SwitchTimes, cutover_limit, is_paused, takes_part_in_cutover
from projector.folding.view_consumer import ViewConsumer
from read_models.model.view import View
from subscriptions.assignment import Assignment
from subscriptions.consumer import Consumer
from subscriptions.coordination.followers import FAILURE_LIMIT
from subscriptions.membership.leases import LeaseState
from subscriptions.membership.member import Member, PauseAck
from subscriptions.store.retrying_store import RetryingStore

# A switch first seen now may just have happened; clocks may differ by a minute, in milliseconds.
_LONG_AGO = 60_000


class ViewWorkload:
    """The views given, in every version that this process knows. `partitions` is into how many a new view is divided,
    `capacity` bounds the documents kept in memory for each build; `rebuilds` says whether a view on another log is
    built anew without being asked for. Implements Workload.

    `records` are the views' records as they were read last.
    """

    paused_as = "paused"

    def __init__(
        self,
        registry: ViewRegistry,
        lifecycle: BuildLifecycle,
        views: Sequence[View],
        *,
        partitions: int,
        capacity: int,
        times: SwitchTimes,
        rebuilds: bool = False,
    ) -> None:
        self.registry = registry
        self.records: Mapping[str, ViewRecord] = {}
        self.lifecycle = lifecycle
        self._rebuilds = rebuilds
        self._views = {(view.name, view.version): view for view in views}
        self._newest = _newest(views)
        self._partitions = partitions
        self._capacity = capacity
        self._times = times
        self._switched: dict[str, tuple[int, float]] = {}

    @property
    def names(self) -> Sequence[str]:
        return list(self._newest)

    @property
    def abilities(self) -> Sequence[str]:
        return [ability(name, version) for name, version in self._views]

    @property
    def low_latency(self) -> bool:
        return any(record.paused for record in self.records.values())

    def newest_version(self, name: str) -> int | None:
        """The newest version of a view that this process knows; None when it knows none."""
        view = self._newest.get(name)
        return None if view is None else view.version

    async def prepare(self) -> None:
        await self.registry.prepare()

    async def reread(self) -> None:
        """Reads the records again at once, after one of them was changed."""
        with contextlib.suppress(ReadStoreUnavailable, ReadStoreRefused):
            self.records = {**self.records, **await self.registry.load(self.names)}

    async def refresh(self, alive: Mapping[str, Member]) -> Sequence[Target]:
        records = await self.registry.load(self.names)
        abilities = {one for member in alive.values() for one in member.abilities}
        for name, view in self._newest.items():
            if name not in records:
                await self.lifecycle.first_record(view, self._partitions)
            elif view.version > records[name].latest_version:
                await self.lifecycle.begin_new_version(records[name], view, sorted(abilities))
        if len(records) < len(self._newest):
            records = await self.registry.load(self.names)
        self.records = {name: records[name] for name in self._newest if name in records}
        for name, record in self.records.items():
            if self._switched.get(name, (None, 0.0))[0] != record.switched_at:
                self._switched[name] = (record.switched_at, monotonic() if _may_be_new(record) else -math.inf)
        return self.targets()

    def targets(self) -> list[Target]:
        """Every build that must be brought up to date: the live ones first, then candidates, then previous ones."""
        by_role = zip(
            *((record.live, record.candidate, record.previous) for record in self.records.values()), strict=True
        )
        return [
            record.target(build)
            for role in by_role
            for record, build in zip(self.records.values(), role, strict=True)
            if build is not None
        ]

    def consumer(self, assignment: Assignment, store: RetryingStore) -> Consumer:
        target = assignment.target
        view = self._views[target.consumer, target.version]
        return ViewConsumer(view, target.name, store, capacity=self._capacity, failure_limit=FAILURE_LIMIT)

    def is_paused(self, target: Target) -> bool:
        record, build = self._build(target)
        since = monotonic() - self._switched[target.consumer][1]
        times = self._times
        return build is not None and is_paused(
            record, build, since, previous_pause=times.previous_pause, live_pause=times.live_pause
        )

    def limit(self, target: Target) -> int | None:
        record, build = self._build(target)
        return None if build is None else cutover_limit(record, build)

    def pause_acks(self, runs: Callable[[str], bool]) -> Sequence[PauseAck]:
        return [
            PauseAck(build.collection, record.paused)
            for record in self.records.values()
            for build in record.builds
            if takes_part_in_cutover(record, build) and not runs(build.collection)
        ]

    async def maintain(self, instance: str, leases: Mapping[str, LeaseState], alive: Mapping[str, Member]) -> None:
        for record in self.records.values():
            if in_charge(record, leases) != instance:
                continue
            version = self.newest_version(record.view) or record.live.version
            if not (self._rebuilds and await self.lifecycle.rebuild_on_other_log(record, version, alive)):
                await self.lifecycle.advance(record, leases, alive)

    def _build(self, target: Target) -> tuple[ViewRecord, Build | None]:
        record = self.records[target.consumer]
        return record, next((build for build in record.builds if build.collection == target.name), None)


def _may_be_new(record: ViewRecord) -> bool:
    return record.builds_made > 1 and now_millis() - record.switched_at < _LONG_AGO


def _newest(views: Sequence[View]) -> dict[str, View]:
    """The newest version of each view, the views in the order in which they were given."""
    newest: dict[str, View] = {}
    for view in views:
        if view.name not in newest or newest[view.name].version < view.version:
            newest[view.name] = view
    return newest
