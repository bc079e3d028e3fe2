"""Reads the facts from the two stores. Nothing is changed, and no service is needed: it works while they are down."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from time import monotonic

import msgspec

from inbound.dead_letters import COLLECTION as INBOUND_DEAD_LETTERS
from inbound.dead_letters import DeadLetterStore
from infrastructure.checkpoints import CHECKPOINTS, Target, low_watermark, missing_for_target
from infrastructure.clock import now_millis
from infrastructure.event_store import EventStore
from infrastructure.read_store import Comparison, Page, ReadStore, StoredDocument, Where
from infrastructure.view_registry import VIEW_RECORDS, ViewRecord
from ops.doctor.facts import KEPT_BY_TARGET, Facts, InstanceFacts, Known, Role, TargetFacts
from process_manager.instances.index import NEVER, InstanceIndex
from subscriptions.coordination.plain_workload import ConsumerRecord, ConsumerRecords
from subscriptions.membership.leases import NOBODY, Leases, LeaseState
from subscriptions.membership.member import MEMBERS, Member, PartitionReport
from subscriptions.operating.lag import Lag, lags_behind
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.replaying.requests import REQUESTS, ReplayRequest

_MOST = 1000
# How long after it is due a timer may fire, in milliseconds, before it counts as overdue.
_TIMER_GRACE = 10_000
# Names of builds are made from versions and numbers; so many of the last ones are looked for when no record names them.
_LAST_BUILDS = 50


class Examination:
    """Looks at the stores, watches for a moment, and looks again. `lease` is in seconds: a process that shows no
    heartbeat for twice as long, counted by this process's own clock, is dead.

    Raises what the stores raise.
    """

    def __init__(self, log: EventStore, store: ReadStore, known: Known, *, lease: float) -> None:
        self._log = log
        self._store = store
        self._known = known
        self._lease = lease

    async def run(self) -> Facts:
        """All facts as of now; takes up to twice the lease and a second where a process has died."""
        views = await self._views()
        consumers = await ConsumerRecords(self._store).load()
        targets = list(_targets(views, consumers))
        before = await self._checkpoints(targets)
        alive = await self._living(targets)
        after = await self._checkpoints(targets)
        leases = await Leases(self._store).load([ref for target, _ in targets for ref in target.refs])
        end = await self._log.last_position()
        positions = {target.name: low_watermark(target, after) for target, _ in targets}
        lags = await lags_behind(self._log, set(positions.values()), end)
        reports = {one.partition: one for member in alive.values() for one in member.partitions}
        return Facts(
            known=self._known,
            end=end,
            views=views,
            consumers={name: record.version for name, record in consumers.items()},
            targets=[
                await self._target(target, role, before, after, lags, leases, reports, alive)
                for target, role in targets
            ],
            alive=alive,
            orphans=await self._orphans(views, consumers, [target for target, _ in targets]),
            requests=await self._requests(),
            now=now_millis(),
            instances=[one async for one in self._instances()],
            set_aside=await self._set_aside(),
        )

    async def _views(self) -> dict[str, ViewRecord]:
        found = await self._store.page(VIEW_RECORDS, Page({}, by="sequence", limit=_MOST))
        return {name: msgspec.convert(stored.fields, ViewRecord) for name, stored in found}

    async def _checkpoints(self, targets: Sequence[tuple[Target, Role]]) -> dict[str, StoredDocument]:
        return await self._store.load(CHECKPOINTS, [key for target, _ in targets for key in target.keys])

    async def _living(self, targets: Sequence[tuple[Target, Role]]) -> dict[str, Member]:
        """The processes whose heartbeat goes on. Ends as soon as every one that is told of has shown one, and every
        partition belongs to one of them; a takeover is given the time that it may need."""
        refs = [ref for target, _ in targets for ref in target.refs]
        first = await self._members()
        until = monotonic() + 2 * self._lease + 1
        while True:
            await asyncio.sleep(self._lease / 6)
            now = await self._members()
            alive = {name: member for name, (beat, member) in now.items() if first.get(name, (None,))[0] != beat}
            leases = await Leases(self._store).load(refs)
            settled = all(lease.owner in alive for lease in leases.values()) and len(leases) == len(refs)
            if monotonic() > until or (alive.keys() >= now.keys() and now and settled):
                return alive

    async def _members(self) -> dict[str, tuple[int, Member]]:
        found = await self._store.page(MEMBERS, Page({}, by="started_at", limit=_MOST))
        return {name: (stored.position, msgspec.convert(stored.fields, Member)) for name, stored in found}

    async def _target(
        self,
        target: Target,
        role: Role,
        before: Mapping[str, StoredDocument],
        after: Mapping[str, StoredDocument],
        lags: Mapping[int | None, Lag],
        leases: Mapping[str, LeaseState],
        reports: Mapping[str, PartitionReport],
        alive: Mapping[str, Member],
    ) -> TargetFacts:
        missing = await missing_for_target(self._log, target, after)
        owners = {ref.key: leases[ref.key].owner if ref.key in leases else NOBODY for ref in target.refs}
        parked = await self._store.count(PARKED_EVENTS, {"target": target.name})
        where: Where = {"target": target.name, "first": 1}
        first = await self._store.page(PARKED_EVENTS, Page(where, by="position", limit=1)) if parked else []
        return TargetFacts(
            target=target,
            role=role,
            position=low_watermark(target, after),
            lag=lags[low_watermark(target, after)],
            advanced=low_watermark(target, before) != low_watermark(target, after),
            able=any(target.ability in member.abilities for member in alive.values()),
            owned=NOBODY not in owners.values(),
            dead_owners=sorted({owner for owner in owners.values() if owner != NOBODY and owner not in alive}),
            reports=[reports[key] for key in target.keys if key in reports],
            parked=parked,
            sequences=await self._store.count(PARKED_EVENTS, where) if parked else 0,
            first_error=next((str(one.fields["error"]) for _, one in first if one.fields is not None), None),
            other_log=None if missing is None else str(missing),
        )

    async def _orphans(
        self, views: Mapping[str, ViewRecord], consumers: Mapping[str, ConsumerRecord], targets: Sequence[Target]
    ) -> dict[str, list[str]]:
        """What is stored for targets that no record names. Retired ones are not theirs: their services remove them."""
        named = {target.name for target in targets}
        named |= {build.collection for record in views.values() for build in record.retired}
        named |= {target for consumer in consumers.values() for target in consumer.retired}
        found: dict[str, list[str]] = {}
        for collection in KEPT_BY_TARGET:
            async for target in self._distinct(collection, "target"):
                if target not in named:
                    found.setdefault(target, []).append(collection)
        for record in views.values():
            for name in _names_of_builds(record):
                if name not in named and await self._is_anything_in(name):
                    found.setdefault(name, []).append(name)
        return found

    async def _set_aside(self) -> dict[str, int]:
        counts = DeadLetterStore(self._store)
        return {name: await counts.count(name) async for name in self._distinct(INBOUND_DEAD_LETTERS, "consumer")}

    async def _distinct(self, collection: str, field: str) -> AsyncIterator[str]:
        last = ""
        while True:
            page = Page({field: Comparison(above=last)}, by=field, limit=1)
            found = await self._store.page(collection, page)
            if not found or found[0][1].fields is None:
                return
            last = found[0][1].fields[field]
            yield last

    async def _is_anything_in(self, collection: str) -> bool:
        async for _ in self._store.scan(collection):
            return True
        return False

    async def _instances(self) -> AsyncIterator[InstanceFacts]:
        index = InstanceIndex(self._store)
        for process in sorted(self._known.processes):
            for one in await index.page(process, status="stuck", before=NEVER, limit=_MOST):
                yield InstanceFacts(process, one.instance, failed_steps=one.failed_steps)
            for one in await index.overdue(process, now_millis() - _TIMER_GRACE, limit=_MOST):
                yield InstanceFacts(process, one.instance, overdue=one.next_timer, due_at=one.next_timer_at)

    async def _requests(self) -> list[ReplayRequest]:
        found = await self._store.page(REQUESTS, Page({}, by="requested_at", limit=_MOST))
        return [msgspec.convert(stored.fields, ReplayRequest) for _, stored in found]


def _targets(views: Mapping[str, ViewRecord], consumers: Mapping[str, ConsumerRecord]) -> Iterator[tuple[Target, Role]]:
    for record in views.values():
        yield record.target(record.live), "live"
        if record.candidate is not None:
            yield record.target(record.candidate), "candidate"
        if record.previous is not None:
            yield record.target(record.previous), "previous"
    for consumer in consumers.values():
        yield consumer.target, "consumer"


def _names_of_builds(record: ViewRecord) -> Iterable[str]:
    numbers = range(max(1, record.builds_made - _LAST_BUILDS + 1), record.builds_made + 1)
    for version in range(1, record.latest_version + 1):
        yield f"{record.view}_v{version}"
        yield from (f"{record.view}_v{version}_r{number}" for number in numbers)
