"""One projector process: finds out what it is to fold, folds it, and looks after the views that are in its care.

Any number of these run side by side. What each does follows from what all can read in the read store: the views'
records, the leases, the others' heartbeats.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from time import monotonic

import structlog

from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable, StoredDocument
from infrastructure.resilience import backoff
from infrastructure.settings import Settings
from infrastructure.view_registry import Build, ViewRecord, ViewRegistry
from projector import metrics
from projector.builds.shards import Shard, ability, shards_of
from projector.builds.stewardship import Stewardship, steward_of
from projector.dead_letters.parked_events import COLLECTION as PARKED_EVENTS
from projector.dead_letters.requests import ReplayRequests
from projector.errors import Stopping
from projector.feeding.checkpoint_writer import CheckpointWriter
from projector.feeding.feeds import Feeds
from projector.feeding.projection import Projection
from projector.folding.share import Share
from projector.membership.balance import balanced
from projector.membership.heartbeat import Heartbeat
from projector.membership.leases import NOBODY, Holding, Leases
from projector.membership.member import Hold, ShardReport
from projector.patience import Delays, PatientStore, pause
from projector.ports import DocumentStore, EventLog
from projector.workers import Limits, Wanted, Workers
from read_models.model.view import View

log = structlog.get_logger(__name__)

# After a switch, the build before it keeps still for so many seconds: longer than any query may still be answered
# from it (a query API looks for the switch every half second, and a read ends within the read store's timeout). The new
# one keeps still until every query API follows it, so that no two of them differ.
SETTLING = 5.0
FOLLOWING = 0.75
_LONG_AGO = 60.0
# Dead letters that operators have dealt with, here or elsewhere, are out of the count after so many seconds.
_BETWEEN_COUNTS = 5.0


class Engine:
    """Runs until `stop` is set. Times are in seconds: `idle_check` as in projector.feeding.feed.Feed, `settling` and
    `following` are how long the build before a switch and the one after it keep still."""

    def __init__(
        self,
        event_log: EventLog,
        store: DocumentStore,
        views: Sequence[View],
        codec: EventCodec,
        settings: Settings,
        stop: asyncio.Event,
        *,
        idle_check: float = 5.0,
        settling: float = SETTLING,
        following: float = FOLLOWING,
        delays: Delays = backoff,
    ) -> None:
        self.views = {(view.name, view.version): view for view in views}
        self.log = event_log
        self.store = store
        self.trouble: str | None = None
        self.records: Mapping[str, ViewRecord] = {}
        self.leases: Mapping[str, Holding] = {}
        self.seen_checkpoints: Mapping[str, StoredDocument] = {}
        self.registry = ViewRegistry(store)
        self.look_again = asyncio.Event()
        self.heart = Heartbeat(
            store,
            settings.consumer_name,
            [ability(view.name, view.version) for view in views],
            settings.consumer_lease,
        )
        self._newest = {view.name: view for view in sorted(views, key=lambda view: view.version)}
        self._settings = settings
        self.grace = int(settings.view_grace * 1000)
        self._interval = settings.consumer_lease / 6
        self._stop = stop
        self._delays = delays
        self._settling = settling
        self._following = following
        self._stewardship = Stewardship(
            store, event_log, self.registry, quiet=max(settings.consumer_lease, settling), grace=settings.view_grace
        )
        self._leases = Leases(store)
        self._requests = ReplayRequests(store)
        self._patient = PatientStore(store, stop, "checkpoints", delays)
        self._checkpoints = CheckpointWriter(self._patient, self.heart.instance)
        self._feeds = Feeds(event_log, codec, buffer=settings.consumer_batch, idle_check=idle_check, delays=delays)
        limits = Limits(settings.projector_cache, settings.consumer_batch)
        self.workers = Workers(store, event_log, codec, self._feeds, self._checkpoints, limits, self.look_again, delays)
        self._mine: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        self._switched: dict[str, tuple[int, float]] = {}
        self._beaten = -math.inf
        self._counted = 0.0

    @property
    def view_names(self) -> list[str]:
        """The views that this process knows."""
        return list(self._newest)

    def newest_version(self, name: str) -> int | None:
        """The newest version of a view that this process knows; None when it knows none."""
        view = self._newest.get(name)
        return None if view is None else view.version

    async def look(self) -> None:
        """Finds out at once what has been changed in the views' records, for whoever has just changed one."""
        with contextlib.suppress(ReadStoreUnavailable, ReadStoreRefused):
            self.records = {**self.records, **await self.registry.load(list(self._newest))}
        self.look_again.set()

    @property
    def projections(self) -> list[Projection]:
        """What this process folds at the moment."""
        return self.workers.projections

    def reports(self) -> list[ShardReport]:
        """How each shard of this process does; held are those that keep still for a switch."""
        still = [
            ShardReport(shard.key, "held")
            for shard in shards_of(self.records.values())
            if shard.key in self._wanted and self._keeps_still(shard)
        ]
        return [*self.workers.reports(), *still]

    async def run(self) -> None:
        """Folds what falls to this process until `stop` is set; then finishes what is begun and gives up its leases."""
        writer = asyncio.create_task(self._checkpoints.run())
        try:
            await self._prepare()
            beating = asyncio.create_task(self._beat_for_ever())
            try:
                await self._look_for_ever()
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
        except Stopping:
            pass
        finally:
            await self.workers.close()
            await self._feeds.close()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        await self._leave()

    async def _prepare(self) -> None:
        pauses = self._delays()
        while True:
            try:
                await self.registry.prepare()
                await self._checkpoints.prepare()
                await self._leases.prepare()
                await self._requests.prepare()
                await self.heart.prepare()
                return
            except (ReadStoreUnavailable, ReadStoreRefused) as error:
                self._note(error)
            await pause(self._stop, next(pauses))

    async def _beat_for_ever(self) -> None:
        """In a task of its own, so that nothing that takes long is taken for death."""
        while True:
            try:
                await self._beat()
            except (ReadStoreUnavailable, ReadStoreRefused) as error:
                log.debug("no heartbeat", error=str(error))
            except Exception:
                log.exception("a heartbeat failed")
            await asyncio.sleep(self._interval)

    async def _beat(self) -> None:
        await self.heart.beat(self._holds(), self.reports())
        self._beaten = monotonic()

    async def _look_for_ever(self) -> None:
        pauses = self._delays()
        while not self._stop.is_set():
            self.look_again.clear()
            try:
                await self._look()
            except (ReadStoreUnavailable, ReadStoreRefused, EventStoreUnavailable) as error:
                self._note(error)
                await pause(self._stop, next(pauses))
            except Exception as error:
                self._note(error)
                log.exception("the projector failed to see to its work; trying again")
                await pause(self._stop, next(pauses))
            else:
                self.trouble, pauses = None, self._delays()
                await self._until_next_look()

    async def _until_next_look(self) -> None:
        hurried = any(record.holding for record in self.records.values())
        waits = [asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(self.look_again.wait())]
        try:
            await asyncio.wait(
                waits, timeout=self._interval / 10 if hurried else self._interval, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()

    async def _look(self) -> None:
        """Finds out how things stand, and takes every one of its tasks one step further."""
        if monotonic() - self._beaten > 2 * self._interval:
            await self._beat()  # or this process, held up, would take itself for dead
        await self.heart.look()
        await self._look_at_records()
        shards = shards_of(self.records.values())
        self.leases = await self._leases.load(shards)
        await self._share_out(shards)
        self._fold(shards)
        for request in await self._requests.open():
            self.workers.replay(request, self._requests)
        if monotonic() - self._counted > _BETWEEN_COUNTS:
            self._counted = monotonic()
            for projection in self.projections:
                if projection.parking.count:
                    where = {"collection": projection.collection}
                    projection.parking.count = await self.store.count(PARKED_EVENTS, where)
        for record in self.records.values():
            if steward_of(record, self.leases) == self.heart.instance:
                await self._stewardship.look_after(record, self.leases, self.heart.alive)
        if any(record.holding for record in self.records.values()):
            await self._beat()

    async def _look_at_records(self) -> None:
        records = await self.registry.load(list(self._newest))
        abilities = {one for member in self.heart.alive.values() for one in member.can}
        for name, view in self._newest.items():
            if name not in records:
                await self._stewardship.first_record(view, self._settings.consumer_partitions)
            elif view.version > records[name].latest_version:
                await self._stewardship.begin_new_version(records[name], view, sorted(abilities))
        if len(records) < len(self._newest):
            records = await self.registry.load(list(self._newest))
        self.records = {name: records[name] for name in self._newest if name in records}
        for name, record in self.records.items():
            if self._switched.get(name, (None, 0.0))[0] != record.switched_at:
                self._switched[name] = (record.switched_at, monotonic() if _may_be_new(record) else -math.inf)

    async def _share_out(self, shards: Sequence[Shard]) -> None:
        """Takes the leases that fall to this process, and gives up those that fall to others."""
        me, alive = self.heart.instance, self.heart.alive
        owners = {key: holding.owner for key, holding in self.leases.items() if holding.owner in alive}
        plan = balanced(shards, self.heart.able, owners)
        self._note_lost([shard for shard in shards if shard.key in self._mine and owners.get(shard.key) != me])
        free = [shard for shard in shards if plan.get(shard.key) == me and shard.key not in owners]
        leaving = [
            shard
            for shard in shards
            if owners.get(shard.key) == me and plan.get(shard.key) != me and not self._folds(shard)
        ]
        taken = await self._leases.pass_on(free, self.leases, me)
        given_up = await self._leases.pass_on(leaving, self.leases, NOBODY)
        self._count("taken", [shard for shard in free if shard.key in taken])
        self._count("given up", [shard for shard in leaving if shard.key in given_up])
        if taken or given_up:
            self.leases = await self._leases.load(shards)
        owned = {shard.key for shard in shards if self.leases.get(shard.key, Holding(NOBODY, 0)).owner == me}
        self._mine = frozenset(owned)
        self._wanted = frozenset(key for key in owned if plan.get(key) == me or key in taken)
        for view in self._newest:
            metrics.LEASES.labels(view).set(sum(shard.key in owned and shard.view == view for shard in shards))

    def _fold(self, shards: Sequence[Shard]) -> None:
        """Runs a projection for each build of which a partition is ours, unless it has to keep still."""
        owned: dict[str, list[Shard]] = {}
        for shard in shards:
            if shard.key in self._wanted and not self._keeps_still(shard):
                owned.setdefault(shard.build.collection, []).append(shard)
        wanted = {}
        for collection, parts in owned.items():
            first = parts[0]
            partitions = self.records[first.view].partitions
            share = Share(first.build, first.layout, partitions, frozenset(shard.partition for shard in parts))
            view = self.views[first.view, first.build.version]
            wanted[collection] = Wanted(view, share, self._limit(first))
        self.workers.match(wanted)

    def _keeps_still(self, shard: Shard) -> bool:
        record = self.records[shard.view]
        since = monotonic() - self._switched[shard.view][1]
        # The previous build may be wanted back before everybody has stopped reading it.
        if shard.build == (record.candidate if record.returning else record.previous) and since < self._settling:
            return True
        if _is_held(record, shard.build):
            return record.level < 0
        return shard.build == record.live and since < self._following

    def _limit(self, shard: Shard) -> int | None:
        record = self.records[shard.view]
        return record.level if _is_held(record, shard.build) else None

    def _holds(self) -> list[Hold]:
        """The builds that this process keeps still with, as the records ask it to."""
        return [
            Hold(build.collection, record.holding)
            for record in self.records.values()
            for build in record.builds
            if _is_held(record, build) and not self.workers.runs(build.collection)
        ]

    def _folds(self, shard: Shard) -> bool:
        projections = self.workers.projections
        return any(
            one.collection == shard.build.collection
            and one.share.layout == shard.layout
            and shard.partition in one.share.owned
            for one in projections
        )

    def _note_lost(self, shards: Sequence[Shard]) -> None:
        if shards:
            log.warning("leases lost to others", shards=[shard.key for shard in shards])
            self._count("lost", shards)

    def _count(self, change: str, shards: Sequence[Shard]) -> None:
        for shard in shards:
            metrics.LEASE_CHANGES.labels(shard.view, change).inc()

    def _note(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {error}"

    async def _leave(self) -> None:
        """Gives up what this process has, so that others need not wait for its death."""
        with contextlib.suppress(ReadStoreUnavailable, ReadStoreRefused, asyncio.TimeoutError):
            async with asyncio.timeout(2.0):
                shards = [shard for shard in shards_of(self.records.values()) if shard.key in self._mine]
                await self._leases.pass_on(shards, self.leases, NOBODY)
                await self.heart.leave()


def _may_be_new(record: ViewRecord) -> bool:
    """Whether the last switch, first seen now, may have been a moment ago; clocks may differ by a minute."""
    return record.builds_made > 1 and time.time() - record.switched_at / 1000 < _LONG_AGO


def _is_held(record: ViewRecord, build: Build) -> bool:
    return bool(record.holding) and build in (record.live, record.candidate)
