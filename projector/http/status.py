"""What operators are told of all views and all processes; read from the read store, so any process can tell it."""

import asyncio
from collections.abc import Mapping, Sequence

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable, StoredDocument
from infrastructure.view_registry import CHECKPOINTS, Build, ViewRecord, checkpoint_keys, low_watermark
from projector.builds.shards import Shard
from projector.dead_letters.parked_events import COLLECTION as PARKED_EVENTS
from projector.engine import Engine
from projector.http.answers import (
    EventStoreStatus,
    InstanceStatus,
    PartitionStatus,
    PreviousBuild,
    RebuildStatus,
    Status,
    ViewStatus,
)
from projector.http.lags import Lag, lags_behind
from projector.membership.leases import NOBODY
from projector.membership.member import ShardReport

_PATIENCE = 1.5
# The worst of a view's partitions gives the view its state.
_WORST_FIRST = ("stopped", "waiting", "switching", "starting", "catching_up", "live")


async def status_of(engine: Engine) -> Status:
    """Every view beside the log's end; answers within about three seconds in any case."""
    facts = Facts(engine)
    await facts.read()
    instances = [
        InstanceStatus(
            instance,
            instance in engine.heart.alive,
            member.started_at,
            sum(holding.owner == instance for holding in engine.leases.values()),
        )
        for instance, member in sorted(engine.heart.members.items(), key=lambda pair: pair[1].started_at)
    ]
    return Status(EventStoreStatus(facts.end, facts.reachable), instances, [facts.view(name) for name in facts.names])


class Facts:
    """What is known at one moment; what could not be asked is left as it was last known."""

    def __init__(self, engine: Engine) -> None:
        self.end: int | None = None
        self.reachable = False
        self.names = list(engine.records)
        self._engine = engine
        self._reports: dict[str, ShardReport] = {}
        self._held: Mapping[str, StoredDocument] = engine.seen_checkpoints
        self._parked: dict[str, int] = {}
        self._lags: Mapping[int | None, Lag] = {}
        self._trouble: str | None = engine.trouble

    async def read(self) -> None:
        """Asks the read store, then the log."""
        engine = self._engine
        for instance, member in engine.heart.alive.items():
            own = instance == engine.heart.instance
            reports: Sequence[ShardReport] = engine.reports() if own else member.shards
            self._reports |= {report.shard: report for report in reports}
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._read_store()
        except (ReadStoreUnavailable, ReadStoreRefused, TimeoutError) as error:
            self._trouble = self._trouble or f"the read store does not answer: {error}"
        try:
            async with asyncio.timeout(_PATIENCE):
                self.end = await engine.log.last_position()
                positions = {self._position(record.live, record) for record in engine.records.values()}
                self._lags = await lags_behind(engine.log, positions, self.end)
                self.reachable = True
        except (EventStoreUnavailable, TimeoutError):
            self._lags = {}

    async def _read_store(self) -> None:
        keys = [
            key
            for record in self._engine.records.values()
            for build in record.builds
            for key in checkpoint_keys(build, record.layout, record.partitions)
        ]
        self._held = self._engine.seen_checkpoints = await self._engine.store.load(CHECKPOINTS, keys)
        for record in self._engine.records.values():
            live = record.live.collection
            self._parked[record.view] = await self._engine.store.count(PARKED_EVENTS, {"collection": live})

    def view(self, name: str) -> ViewStatus:
        """One view."""
        record = self._engine.records[name]
        position = self._position(record.live, record)
        lag = self._lags.get(position)
        state, trouble = self._state(record, record.live)
        return ViewStatus(
            name=name,
            version=record.live.version,
            collection=record.live.collection,
            position=position,
            lag_positions=None if lag is None else lag.positions,
            lag_events=None if lag is None else lag.events,
            lag_exact=lag is not None and lag.exact,
            lag_seconds=None if lag is None else lag.seconds,
            parked=self._parked.get(name, 0),
            state=state,
            trouble=trouble,
            partitions=self._partitions(record),
            rebuild=None if record.candidate is None else self._rebuild(record, record.candidate),
            previous=None if record.previous is None else self._previous(record, record.previous),
        )

    def _partitions(self, record: ViewRecord) -> list[PartitionStatus]:
        partitions = []
        for number, key in enumerate(checkpoint_keys(record.live, record.layout, record.partitions)):
            holding = self._engine.leases.get(key)
            owned = holding is not None and holding.owner != NOBODY
            position = self._held[key].position if key in self._held else record.live.base
            partitions.append(
                PartitionStatus(
                    number,
                    holding.owner if holding is not None and owned else None,
                    0 if holding is None else holding.epoch,
                    None if position < 0 else position,
                )
            )
        return partitions

    def _state(self, record: ViewRecord, build: Build) -> tuple[str, str | None]:
        reports = [
            self._reports.get(Shard(record.view, build, record.layout, partition).key)
            for partition in range(record.partitions)
        ]
        known = [report for report in reports if report is not None]
        states = {"switching" if report.state == "held" else report.state for report in known}
        if len(known) < len(reports):
            states.add("starting" if self._somebody_can(record, build) else "unowned")
        trouble = next((report.trouble for report in known if report.trouble), self._trouble)
        if "unowned" in states:
            return "unowned", f"no process knows version {build.version} of {record.view}"
        if self._trouble is not None and "stopped" not in states:
            return "waiting", trouble
        return next((state for state in _WORST_FIRST if state in states), "live"), trouble

    def _somebody_can(self, record: ViewRecord, build: Build) -> bool:
        ability = Shard(record.view, build, record.layout, 0).ability
        return any(ability in member.can for member in self._engine.heart.alive.values())

    def _rebuild(self, record: ViewRecord, build: Build) -> RebuildStatus:
        keys = checkpoint_keys(build, record.layout, record.partitions)
        position = self._position(build, record)
        counts = [self._held[key].fields for key in keys if key in self._held]
        events = min((fields["events"] for fields in counts if fields is not None), default=0)
        rates = [self._reports[key].rate for key in keys if key in self._reports]
        rate = min((rate for rate in rates if rate is not None), default=None)
        end, at = -1 if self.end is None else self.end, -1 if position is None else position
        left = None
        if rate and events and at > build.base:
            left = round(events / (at - max(build.base, 0)) * max(0, end - at) / rate, 1)
        state, trouble = self._state(record, build)
        return RebuildStatus(
            kind=_kind(record, build),
            state=state if state in ("stopped", "unowned") else "holding" if record.holding else "catching_up",
            collection=build.collection,
            version=build.version,
            started_at=build.created_at,
            position=position,
            fraction=1.0 if end < 0 else min(1.0, max(0.0, (at + 1) / (end + 1))),
            events=events,
            events_per_second=rate,
            seconds_left=left,
            trouble=trouble,
        )

    def _previous(self, record: ViewRecord, build: Build) -> PreviousBuild:
        return PreviousBuild(build.collection, build.version, self._position(build, record), record.previous_until)

    def _position(self, build: Build, record: ViewRecord) -> int | None:
        return low_watermark(build, record.layout, record.partitions, self._held)


def _kind(record: ViewRecord, build: Build) -> str:
    if record.returning:
        return "switch_back"
    return "rebuild" if build.version == record.live.version else "new_version"
