"""What must be done for a view as a whole, by one process at a time: new versions, the switch, removal.

Each step is one guarded write of the view's record, or a removal that may be repeated. So a process that dies in the
middle does no harm, nor do two that both consider themselves in charge.
"""

from collections.abc import Mapping, Sequence
from time import monotonic

import structlog

from infrastructure.checkpoints import CHECKPOINTS, Missing, Trail, low_watermark, missing_for_target
from infrastructure.checkpoints.log_check import marks_of
from infrastructure.checkpoints.target import ability
from infrastructure.clock import now_millis
from infrastructure.view_registry import Build, ViewRecord, ViewRegistry, transitions
from projector import metrics
from projector.builds.pausing import SwitchTimes, all_wait, is_folded, is_reported_lost
from projector.builds.removal import BuildRemoval
from read_models.model.view import View
from subscriptions.membership.leases import NOBODY, LeaseState
from subscriptions.membership.member import Member
from subscriptions.ports import DocumentStore, EventLog

log = structlog.get_logger(__name__)


class BuildLifecycle:
    """Times are in seconds. `quiet` is how long other processes may still read or write what a record no longer names:
    it is removed only after that. `grace` is how long the previous build is kept. Every method raises what the stores
    raise.
    """

    def __init__(
        self,
        store: DocumentStore,
        event_log: EventLog,
        registry: ViewRegistry,
        *,
        quiet: float,
        grace: float,
        times: SwitchTimes,
    ) -> None:
        self._store = store
        self._log = event_log
        self._registry = registry
        self._removal = BuildRemoval(store, registry, quiet=quiet)
        self._quiet = quiet
        self._grace = int(grace * 1000)
        self._times = times
        self._ends: dict[str, int] = {}
        self._paused_since: dict[tuple[str, int], float] = {}
        self._not_before: dict[str, float] = {}

    async def first_record(self, view: View, partitions: int) -> None:
        """For a view that has never been projected: its first build is live from the start."""
        await self._registry.save(transitions.first_record(view.name, view.version, partitions, now_millis()))

    async def begin_new_version(self, record: ViewRecord, view: View, abilities: Sequence[str]) -> None:
        """Begins the build of a version that has never been built, beside the live one."""
        candidate = record.candidate
        if candidate is not None:
            if ability(record.view, candidate.version) in abilities:
                return
            log.warning("no process can build it any more; giving it up", view=view.name, target=candidate.collection)
            await self._registry.save(transitions.cancelled(record, now_millis(), self._grace))
            return
        if await self._registry.save(transitions.with_candidate(record, view.version, now_millis())):
            log.info("building a new version", view=view.name, view_version=view.version)

    async def advance(self, record: ViewRecord, leases: Mapping[str, LeaseState], alive: Mapping[str, Member]) -> None:
        """Takes the view's candidate, its previous build and its retired builds one step further, where that is due."""
        if record.candidate is not None:
            if await self.missing(record, record.candidate) is None:
                await self._advance_candidate(record, record.candidate, leases, alive)
        elif record.previous is not None and now_millis() >= record.previous_until:
            await self._registry.save(transitions.without_previous(record))
        await self._removal.remove_due(record)

    async def rebuild_on_other_log(self, record: ViewRecord, version: int, alive: Mapping[str, Member]) -> bool:
        """Begins a build of the view when its live build, or the one under way, was stopped on another log; whether it
        was. What is under way on this log goes on."""
        for build in (record.candidate, record.live):
            if build is None or not is_reported_lost(record.target(build), alive):
                continue
            if (build == record.live and record.candidate is not None) or await self.missing(record, build) is None:
                continue
            begin = transitions.with_candidate if record.candidate is None else transitions.with_candidate_instead
            if await self._registry.save(begin(record, version, now_millis())):
                log.warning("building the view anew, because the log is another one", view=record.view)
            return True
        return False

    async def missing(self, record: ViewRecord, build: Build) -> Missing | None:
        """What the log should have by the build's checkpoints, and has not."""
        target = record.target(build)
        return await missing_for_target(self._log, target, await self._store.load(CHECKPOINTS, target.keys))

    async def _advance_candidate(
        self, record: ViewRecord, candidate: Build, leases: Mapping[str, LeaseState], alive: Mapping[str, Member]
    ) -> None:
        positions = await reached_by_builds(self._store, record)
        reached = positions[candidate.collection]
        # A live build of another log can never be level with the candidate: nobody waits for it.
        is_lost = await self.missing(record, record.live) is not None
        level = (candidate,) if is_lost else (record.live, candidate)
        if not record.paused:
            await self._pause_when_caught_up(record, reached)
            return
        since = self._paused_since.setdefault((record.view, record.paused), monotonic())
        # A process that has taken a partition over from a dead one has seen the pause by then.
        takeovers_seen = monotonic() - since >= self._quiet
        if record.cutover_position >= 0:
            if await self._has_reached_cutover(record, level, positions, leases, alive):
                await self._switch(record, keep=not is_lost)
                return
        elif all(all_wait(record, build, leases, alive, takeovers_seen=takeovers_seen) for build in level):
            # All that a dead or hanging writer may still be about to write is in the log by now.
            cutover = max(await self._end(), *(positions[build.collection] for build in level), 0)
            await self._registry.save(transitions.with_cutover(record, cutover))
            return
        if monotonic() - since > self._times.cutover_timeout:
            self._not_before[record.view] = monotonic() + self._times.retry_pause
            log.warning("the candidate did not reach the cutover position in time; trying again", view=record.view)
            await self._registry.save(transitions.resumed(record))

    async def _has_reached_cutover(
        self,
        record: ViewRecord,
        builds: Sequence[Build],
        positions: Mapping[str, int],
        leases: Mapping[str, LeaseState],
        alive: Mapping[str, Member],
    ) -> bool:
        """Whether the builds have all events up to the cutover; a live build that no process can fold is left out."""
        for build in builds:
            if build == record.live and not is_folded(record.target(build), leases, alive):
                continue
            reached = positions[build.collection]
            if reached < record.cutover_position and await self._has_event_between(reached, record.cutover_position):
                return False
        return True

    async def _has_event_between(self, position: int, cutover: int) -> bool:
        events = self._log.read_all(None if position < 0 else position)
        try:
            async for event in events:
                return event.position <= cutover
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        return False

    async def _pause_when_caught_up(self, record: ViewRecord, reached: int) -> None:
        end, before = await self._end(), self._ends.get(record.view)
        self._ends[record.view] = end
        if before is None or reached < before or monotonic() < self._not_before.get(record.view, 0.0):
            return
        del self._ends[record.view]
        await self._registry.save(transitions.paused(record))

    async def _switch(self, record: ViewRecord, *, keep: bool) -> None:
        if await self._registry.save(transitions.switched(record, now_millis(), self._grace, keep=keep)):
            metrics.SWITCHES.labels(record.view).inc()
            assert record.candidate is not None
            log.info(
                "view switched",
                view=record.view,
                target=record.candidate.collection,
                previous_target=record.live.collection,
            )

    async def _end(self) -> int:
        last = await self._log.last_position()
        return -1 if last is None else last


def in_charge(record: ViewRecord, leases: Mapping[str, LeaseState]) -> str:
    """The process that is in charge of the view: the owner of the first partition of the candidate, or else of the live
    build."""
    for build in (record.candidate, record.live):
        if build is not None:
            lease = leases.get(record.target(build).refs[0].key)
            if lease is not None and lease.owner != NOBODY:
                return lease.owner
    return NOBODY


async def reached_by_builds(store: DocumentStore, record: ViewRecord) -> dict[str, int]:
    """How far each build has come, by collection; -1 is before the first event."""
    targets = [record.target(build) for build in record.builds]
    found = await store.load(CHECKPOINTS, [key for target in targets for key in target.keys])
    positions = {target.name: low_watermark(target, found) for target in targets}
    return {name: -1 if position is None else position for name, position in positions.items()}


async def trails_of_builds(store: DocumentStore, record: ViewRecord) -> dict[str, Trail]:
    """The log up to where each build has come, by collection: that of its partition which is furthest behind."""
    targets = [record.target(build) for build in record.builds]
    found = await store.load(CHECKPOINTS, [key for target in targets for key in target.keys])
    return {target.name: min(marks_of(target, found), key=lambda mark: mark[0])[1] for target in targets}
