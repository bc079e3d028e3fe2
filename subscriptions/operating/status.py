"""The status of consumers and processes, for operators; it comes from the read store, so any process can give it."""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from infrastructure.checkpoints import CHECKPOINTS, Target, low_watermark
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable, StoredDocument
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.membership.leases import NOBODY, Leases, LeaseState
from subscriptions.membership.member import Member, PartitionReport
from subscriptions.operating.lag import COUNTED, Lag, lags_behind
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.ports import DocumentStore, EventLog

_TIMEOUT = 1.5
# The worst of a target's partitions gives it its state.
_WORST_FIRST = ("other_log", "stopped", "waiting", "switching", "paused", "starting", "catching_up", "live")

_AS_TOLD = {"paused": "switching", "paused_by_operator": "paused"}


class InstanceStatus(Struct, frozen=True):
    """A process with consumers. `alive` is false once it has missed its heartbeats; `partitions` counts those it owns
    of the consumers shown."""

    instance: str
    service: str
    alive: bool
    started_at: int
    partitions: int


class PartitionStatus(Struct, frozen=True):
    """One partition: who owns it (None: nobody now), under which epoch, how far it is."""

    partition: int
    owner: str | None
    epoch: int
    position: int | None


class StatusSnapshot:
    """The state of some targets at one moment; what could not be read is as it was last read, or None.

    `end` is the position of the log's newest event, None on an empty log or when the event store is not `reachable`.
    """

    def __init__(self, members: Mapping[str, Member], alive: Mapping[str, Member], trouble: str | None) -> None:
        self.members = members
        self.alive = alive
        self.trouble = trouble
        self.end: int | None = None
        self.reachable = False
        self.reports: Mapping[str, PartitionReport] = {}
        self.checkpoints: Mapping[str, StoredDocument] = {}
        self.leases: Mapping[str, LeaseState] = {}
        self.parked: Mapping[str, int] = {}
        self.lags: Mapping[int | None, Lag] = {}

    def instances(self) -> list[InstanceStatus]:
        """Every process that has not left, the oldest first."""
        return [
            InstanceStatus(
                instance,
                member.service,
                instance in self.alive,
                member.started_at,
                sum(state.owner == instance for state in self.leases.values()),
            )
            for instance, member in sorted(self.members.items(), key=lambda pair: pair[1].started_at)
        ]

    def position(self, target: Target) -> int | None:
        """How far the target has come; None before the first event."""
        return low_watermark(target, self.checkpoints)

    def lag(self, target: Target) -> Lag | None:
        """How far behind the log that is; None when the event store can't be asked."""
        return self.lags.get(self.position(target))

    def events(self, target: Target) -> int:
        """How many events it has considered since it began."""
        counts = [self.checkpoints[key].fields for key in target.keys if key in self.checkpoints]
        return min((fields["events"] for fields in counts if fields is not None), default=0)

    def rate(self, target: Target) -> float | None:
        """Events per second of its slowest partition; None until it is known."""
        rates = [self.reports[key].rate for key in target.keys if key in self.reports]
        return min((rate for rate in rates if rate is not None), default=None)

    def partitions(self, target: Target) -> list[PartitionStatus]:
        """Each of its partitions."""
        partitions = []
        for ref in target.refs:
            lease = self.leases.get(ref.key)
            owned = lease is not None and lease.owner != NOBODY
            position = self.checkpoints[ref.key].position if ref.key in self.checkpoints else target.base
            partitions.append(
                PartitionStatus(
                    ref.partition,
                    lease.owner if lease is not None and owned else None,
                    0 if lease is None else lease.epoch,
                    None if position < 0 else position,
                )
            )
        return partitions

    def state(self, target: Target) -> tuple[str, str | None]:
        """starting, catching_up, live, switching (it waits for a switch), paused (by an operator), waiting (a store is
        away), stopped (by its own fault), other_log (the log is not the one of its checkpoint) or unowned (no process
        runs it, because none has its version); and the reason, if there is trouble."""
        reports = [self.reports[key] for key in target.keys if key in self.reports]
        states = {_AS_TOLD.get(report.state, report.state) for report in reports}
        if len(reports) < target.partitions:
            able = any(target.ability in member.abilities for member in self.alive.values())
            states.add("starting" if able else "unowned")
        trouble = next((report.trouble for report in reports if report.trouble), self.trouble)
        if "unowned" in states:
            return "unowned", f"no process knows version {target.version} of {target.consumer}"
        if self.trouble is not None and states.isdisjoint(("stopped", "other_log")):
            return "waiting", trouble
        return next((state for state in _WORST_FIRST if state in states), "live"), trouble


class StatusReader:
    """Takes snapshots over one process's coordinator; each takes about three seconds at most, and counts so many events
    for each target that is behind."""

    def __init__(
        self, coordinator: Coordinator, store: DocumentStore, event_log: EventLog, *, counted: int = COUNTED
    ) -> None:
        self._coordinator = coordinator
        self._store = store
        self._log = event_log
        self._counted = counted
        self._leases = Leases(store)
        self._seen_checkpoints: Mapping[str, StoredDocument] = {}

    async def snapshot(self, targets: Sequence[Target], served: Sequence[Target]) -> StatusSnapshot:
        """The state of `targets`; for those `served` also how far behind the log they are."""
        coordinator = self._coordinator
        heartbeat = coordinator.heartbeat
        snapshot = StatusSnapshot(heartbeat.members, heartbeat.alive, coordinator.trouble)
        snapshot.reports = self._reports()
        snapshot.checkpoints = self._seen_checkpoints
        snapshot.leases = dict(coordinator.rebalancer.states)
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._ask_read_store(snapshot, targets, served)
        except (ReadStoreUnavailable, ReadStoreRefused, TimeoutError) as error:
            snapshot.trouble = snapshot.trouble or f"the read store does not answer: {error}"
        try:
            async with asyncio.timeout(_TIMEOUT):
                snapshot.end = await self._log.last_position()
                positions = {snapshot.position(target) for target in served}
                snapshot.lags = await lags_behind(self._log, positions, snapshot.end, self._counted)
                snapshot.reachable = True
        except (EventStoreUnavailable, TimeoutError):
            snapshot.lags = {}
        return snapshot

    def _reports(self) -> dict[str, PartitionReport]:
        heartbeat = self._coordinator.heartbeat
        reports = [
            report
            for instance, member in heartbeat.alive.items()
            for report in (self._coordinator.reports() if instance == heartbeat.instance else member.partitions)
        ]
        return {report.partition: report for report in reports}

    async def _ask_read_store(
        self, snapshot: StatusSnapshot, targets: Sequence[Target], served: Sequence[Target]
    ) -> None:
        refs = [ref for target in targets for ref in target.refs]
        snapshot.checkpoints = await self._store.load(CHECKPOINTS, [ref.key for ref in refs])
        self._seen_checkpoints = snapshot.checkpoints
        elsewhere = [ref for ref in refs if ref.key not in snapshot.leases]
        if elsewhere:
            snapshot.leases = {**snapshot.leases, **await self._leases.load(elsewhere)}
        snapshot.parked = {
            target.consumer: await self._store.count(PARKED_EVENTS, {"target": target.name}) for target in served
        }
