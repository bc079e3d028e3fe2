"""What has to be done for a view as a whole, by one process at a time: new versions, the switch, removal.

Each step is one guarded write of the view's record, or a removal that may be repeated; so a process that dies in the
middle, or two that both take themselves for the steward, do no harm.
"""

from collections.abc import Mapping, Sequence
from time import monotonic, time

import structlog

from infrastructure.read_store import Comparison, Scalar, StoredDocument
from infrastructure.view_registry import (
    CHECKPOINTS,
    Build,
    ViewRecord,
    ViewRegistry,
    checkpoint_keys,
    low_watermark,
    transitions,
)
from projector import metrics
from projector.builds.shards import Shard, ability
from projector.dead_letters.parked_events import COLLECTION as PARKED_EVENTS
from projector.membership.leases import LEASES, NOBODY, Holding
from projector.membership.member import Hold, Member
from projector.ports import DocumentStore, EventLog
from read_models.model.view import View

log = structlog.get_logger(__name__)

# How long the live build keeps still at most for a candidate to reach it; then it goes on, and the switch waits.
_LONGEST_HOLD = 10.0
_BETWEEN_HOLDS = 5.0


class Stewardship:
    """Times are in seconds. `quiet` is how long anybody may still read or write what a record no longer names: only
    after that is it removed. `grace` is how long the previous build is kept. Every method raises what the stores raise.
    """

    def __init__(
        self, store: DocumentStore, event_log: EventLog, registry: ViewRegistry, *, quiet: float, grace: float
    ) -> None:
        self._store = store
        self._log = event_log
        self._registry = registry
        self._quiet = quiet
        self._grace = int(grace * 1000)
        self._ends: dict[str, int] = {}
        self._held_since: dict[tuple[str, int], float] = {}
        self._not_before: dict[str, float] = {}
        self._retired_since: dict[str, float] = {}
        self._removed: dict[str, int] = {}
        self._layouts: dict[tuple[str, int], tuple[float, bool]] = {}

    async def first_record(self, view: View, partitions: int) -> None:
        """A view that nobody has projected before: its first build is live from the start."""
        legacy = (await self._store.load(CHECKPOINTS, [view.collection])).get(view.collection)
        base = -1 if legacy is None else legacy.position
        await self._registry.save(transitions.first_record(view.name, view.version, partitions, _now(), base=base))

    async def begin_new_version(self, record: ViewRecord, view: View, abilities: Sequence[str]) -> None:
        """A version that has never been built is built beside the live one."""
        candidate = record.candidate
        if candidate is not None:
            if ability(record.view, candidate.version) in abilities:
                return
            log.warning("nobody can build it any more; giving it up", view=view.name, collection=candidate.collection)
            await self._registry.save(transitions.cancelled(record, _now(), self._grace))
            return
        if await self._registry.save(transitions.with_candidate(record, view.version, _now())):
            log.info("building a new version", view=view.name, version=view.version)

    async def look_after(self, record: ViewRecord, leases: Mapping[str, Holding], alive: Mapping[str, Member]) -> None:
        """Takes the view's candidate, its previous build and its retired ones one step further, where that is due."""
        if record.candidate is not None:
            await self._bring_forward(record, record.candidate, leases, alive)
        elif record.previous is not None and _now() >= record.previous_until:
            await self._registry.save(transitions.without_previous(record))
        for build in record.retired:
            await self._remove(record, build)
        if record.layout > 1:
            await self._sweep(record)

    async def _bring_forward(
        self, record: ViewRecord, candidate: Build, leases: Mapping[str, Holding], alive: Mapping[str, Member]
    ) -> None:
        positions = await reached_by_builds(self._store, record)
        reached = positions[candidate.collection]
        if not record.holding:
            await self._hold_when_level(record, reached)
            return
        hold = (record.view, record.holding)
        since = self._held_since.setdefault(hold, monotonic())
        # Whoever has taken a partition over from the dead knows of the hold by then.
        known = monotonic() - since >= self._quiet
        if record.level >= 0:
            if await self._is_level(record, positions, leases, alive):
                await self._switch(record)
                return
        elif all(keeps_still(record, build, leases, alive, known=known) for build in (record.live, candidate)):
            # Whatever a writer that died or hangs may still have in hand was in the log by now.
            level = max(await self._end(), positions[record.live.collection], reached, 0)
            await self._registry.save(transitions.levelled(record, level))
            return
        if monotonic() - since > _LONGEST_HOLD:
            self._not_before[record.view] = monotonic() + _BETWEEN_HOLDS
            log.warning("the candidate did not come level in time; trying again", view=record.view)
            await self._registry.save(transitions.released(record))

    async def _is_level(
        self,
        record: ViewRecord,
        positions: Mapping[str, int],
        leases: Mapping[str, Holding],
        alive: Mapping[str, Member],
    ) -> bool:
        """Whether both builds hold all up to the level that was set; a live build that nobody can fold is let be."""
        for build in (record.live, record.candidate):
            if build is None or (build == record.live and not _is_folded(record, leases, alive)):
                continue
            reached = positions[build.collection]
            if reached < record.level and await self._something_between(reached, record.level):
                return False
        return True

    async def _something_between(self, position: int, level: int) -> bool:
        events = self._log.read_all(None if position < 0 else position)
        try:
            async for event in events:
                return event.position <= level
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        return False

    async def _hold_when_level(self, record: ViewRecord, reached: int) -> None:
        end, before = await self._end(), self._ends.get(record.view)
        self._ends[record.view] = end
        if before is None or reached < before or monotonic() < self._not_before.get(record.view, 0.0):
            return
        del self._ends[record.view]
        await self._registry.save(transitions.held(record))

    async def _switch(self, record: ViewRecord) -> None:
        if await self._registry.save(transitions.switched(record, _now(), self._grace)):
            metrics.SWITCHES.labels(record.view).inc()
            assert record.candidate is not None
            log.info("view switched", view=record.view, to=record.candidate.collection, was=record.live.collection)

    async def _remove(self, record: ViewRecord, build: Build) -> None:
        """Removes all there is of a build, once everybody has had the time to leave it alone; twice, for a writer who
        was late would bring a part of it back."""
        since = self._retired_since.setdefault(build.collection, monotonic())
        times = self._removed.get(build.collection, 0)
        if monotonic() - since < self._quiet * (times + 1):
            return
        await self._store.drop(build.collection)
        for collection in (CHECKPOINTS, PARKED_EVENTS, LEASES):
            await self._store.remove(collection, {"collection": build.collection})
        self._removed[build.collection] = times + 1
        if times:
            await self._registry.save(transitions.forgotten(record, build))
            del self._retired_since[build.collection], self._removed[build.collection]
            log.info("build removed", view=record.view, collection=build.collection)

    async def _sweep(self, record: ViewRecord) -> None:
        """Removes what is left of earlier layouts, once for each new one, when everybody has had time to leave them."""
        since, swept = self._layouts.setdefault((record.view, record.layout), (monotonic(), False))
        if swept or monotonic() - since < self._quiet:
            return
        for build in record.builds:
            where: dict[str, Scalar | Comparison] = {
                "collection": build.collection,
                "layout": Comparison(below=record.layout),
            }
            for collection in (CHECKPOINTS, LEASES):
                await self._store.remove(collection, where)
        self._layouts[record.view, record.layout] = (since, True)

    async def _end(self) -> int:
        last = await self._log.last_position()
        return -1 if last is None else last


def steward_of(record: ViewRecord, leases: Mapping[str, Holding]) -> str:
    """Who looks after the view: whoever has the first partition of what is being built, or else of what is live."""
    for build in (record.candidate, record.live):
        if build is not None:
            holding = leases.get(Shard(record.view, build, record.layout, 0).key)
            if holding is not None and holding.owner != NOBODY:
                return holding.owner
    return NOBODY


async def reached_by_builds(store: DocumentStore, record: ViewRecord) -> dict[str, int]:
    """How far each build has come, by collection; -1 is before the first event."""
    keys = [key for build in record.builds for key in checkpoint_keys(build, record.layout, record.partitions)]
    found = await store.load(CHECKPOINTS, keys)
    return {build.collection: _low(build, record, found) for build in record.builds}


def _low(build: Build, record: ViewRecord, found: Mapping[str, StoredDocument]) -> int:
    low = low_watermark(build, record.layout, record.partitions, found)
    return -1 if low is None else low


def keeps_still(
    record: ViewRecord, build: Build, leases: Mapping[str, Holding], alive: Mapping[str, Member], *, known: bool
) -> bool:
    """Whether every process that may write the build has said that it does not.

    That is whoever has a lease of it, and whoever still folds it in an earlier layout, not knowing of the present one.
    Until `known`, somebody may also have taken over from the dead without having seen that it is to keep still.
    """
    keys = [Shard(record.view, build, record.layout, partition).key for partition in range(record.partitions)]
    owners = {leases[key].owner if key in leases else NOBODY for key in keys}
    if not known and not owners <= alive.keys():
        return False
    return all(
        Hold(build.collection, record.holding) in member.holds
        for instance, member in alive.items()
        if instance in owners or _folds(member, build)
    )


def _folds(member: Member, build: Build) -> bool:
    return any(one.shard.startswith(f"{build.collection}:") and one.state != "held" for one in member.shards)


def _is_folded(record: ViewRecord, leases: Mapping[str, Holding], alive: Mapping[str, Member]) -> bool:
    """Whether the live build is folded by living processes, all of it, and by its own fold's leave."""
    shards = [Shard(record.view, record.live, record.layout, partition).key for partition in range(record.partitions)]
    owners = [alive.get(leases[key].owner) if key in leases else None for key in shards]
    stopped = {one.shard for owner in owners if owner is not None for one in owner.shards if one.state == "stopped"}
    return None not in owners and not stopped & set(shards)


def _now() -> int:
    return int(time() * 1000)
