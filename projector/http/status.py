"""The status of all views and all processes, for operators; any process can give it, from the read store."""

from infrastructure.view_registry import Build, ViewRecord
from projector.builds.workload import ViewWorkload
from projector.http.responses import PreviousBuild, RebuildStatus, Status, ViewStatus
from subscriptions.http.consumers import consumer_status, plain_targets
from subscriptions.http.responses import EventStoreStatus
from subscriptions.operating.plain_catalogue import PlainCatalogue
from subscriptions.operating.status import StatusReader, StatusSnapshot


class ViewStatusReader:
    """Reads the status of the views of a workload, and of all other consumers."""

    def __init__(self, workload: ViewWorkload, reader: StatusReader, others: PlainCatalogue) -> None:
        self._workload = workload
        self._reader = reader
        self._others = others

    async def read(self) -> Status:
        """Every view beside the log's end; takes about three seconds at most."""
        records, others = self._workload.records, await plain_targets(self._others)
        served = [record.target(record.live) for record in records.values()]
        snapshot = await self._reader.snapshot([*self._workload.targets(), *others], [*served, *others])
        return Status(
            EventStoreStatus(snapshot.end, snapshot.reachable),
            snapshot.instances(),
            [_view(record, snapshot) for record in records.values()],
            [consumer_status(snapshot, target) for target in others],
        )


def _view(record: ViewRecord, snapshot: StatusSnapshot) -> ViewStatus:
    target = record.target(record.live)
    status = consumer_status(snapshot, target)
    return ViewStatus(
        name=status.name,
        version=status.version,
        collection=target.name,
        position=status.position,
        lag_positions=status.lag_positions,
        lag_events=status.lag_events,
        lag_exact=status.lag_exact,
        lag_seconds=status.lag_seconds,
        parked=status.parked,
        state=status.state,
        trouble=status.trouble,
        partitions=status.partitions,
        rebuild=None if record.candidate is None else _rebuild(record, record.candidate, snapshot),
        previous=None if record.previous is None else _previous(record, record.previous, snapshot),
        events_per_second=status.events_per_second,
    )


def _rebuild(record: ViewRecord, build: Build, snapshot: StatusSnapshot) -> RebuildStatus:
    target = record.target(build)
    position, events, rate = snapshot.position(target), snapshot.events(target), snapshot.rate(target)
    end, at = -1 if snapshot.end is None else snapshot.end, -1 if position is None else position
    left = None
    if rate and events and at > build.base:
        left = round(events / (at - max(build.base, 0)) * max(0, end - at) / rate, 1)
    state, trouble = snapshot.state(target)
    return RebuildStatus(
        kind=_kind(record, build),
        state=state
        if state in ("stopped", "other_log", "unowned")
        else "switching"
        if record.paused
        else "catching_up",
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


def _previous(record: ViewRecord, build: Build, snapshot: StatusSnapshot) -> PreviousBuild:
    position = snapshot.position(record.target(build))
    return PreviousBuild(build.collection, build.version, position, record.previous_until)


def _kind(record: ViewRecord, build: Build) -> str:
    if record.returning:
        return "switch_back"
    return "rebuild" if build.version == record.live.version else "new_version"
