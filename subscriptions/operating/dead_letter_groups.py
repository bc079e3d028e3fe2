"""Groups of dead letters for operators: listed, replayed and discarded a portion at a time.

A portion is done when it is answered, whatever becomes of the next: who asks for a large group can be killed anywhere,
and asks again.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.clock import now_millis
from infrastructure.dead_letters.audit import DeadLetterAudit
from infrastructure.dead_letters.failure import fault_number
from infrastructure.dead_letters.groups import Group, GroupedRecord, Groups, fold_groups, merged
from subscriptions.operating.audited import Asked, audited
from subscriptions.operating.catalogue import Catalogue
from subscriptions.operating.discarding import discarding
from subscriptions.operating.replays import NoSuchDeadLetter, Outcome, Replays
from subscriptions.parking.discarded_events import COLLECTION as DISCARDED_EVENTS
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.parking.parked_events import ParkedEvent
from subscriptions.parking.resolving import parked_record, records_of_keys
from subscriptions.ports import DocumentStore
from subscriptions.store.scan import scan_pages


class ConsumerGroup(Struct, frozen=True):
    """A group, and whose it is; the group's `owner` is the target."""

    consumer: str
    group: Group


class Portion(Struct, frozen=True):
    """Which part of a group: what is parked after the position `after`, of so many keys. What was parked, or has failed
    again, at or after `asked_at` (in epoch milliseconds; -1: now) is not meant: nobody who asked had seen it."""

    after: int = -1
    asked_at: int = -1
    limit: int = 100


class PortionDone(Struct, frozen=True):
    """The outcome of a portion. `next` is the position to go on after (None: that was the last portion), `asked_at` is
    to be given with the next; `discarded` counts the events left out."""

    outcome: Outcome
    discarded: int
    next: int | None
    asked_at: int


class GroupOperations:
    """Methods raise what the store raises, and ValueError for a group that is no fingerprint."""

    def __init__(self, store: DocumentStore, catalogue: Catalogue, replays: Replays, audit: DeadLetterAudit) -> None:
        self._store = store
        self._catalogue = catalogue
        self._replays = replays
        self._audit = audit
        self._groups = Groups(store, PARKED_EVENTS, "target")

    async def page(
        self, consumer: str | None, *, after: str | None, limit: int
    ) -> tuple[list[ConsumerGroup], str | None]:
        """The groups of a consumer, or of all, with up to `limit` fingerprints after one, in their order; and the last
        fingerprint where there are more."""
        targets = await self._targets(consumer)
        unmarked = {name: await self._unmarked(name) for name in targets}
        above = -1 if after is None else fault_number(after)
        faults: set[int] = {fault for some in unmarked.values() for fault in some if fault > above}
        for name in targets:
            faults.update(await self._groups.faults(name, after=above, limit=limit + 1))
        page = sorted(faults)[:limit]
        found = [
            ConsumerGroup(of, one)
            for fault in page
            for name, of in targets.items()
            if (one := await self._group(name, fault, unmarked[name])) is not None
        ]
        return found, f"{page[-1]:012x}" if len(faults) > limit else None

    async def of_fingerprint(self, consumer: str | None, fingerprint: str) -> list[ConsumerGroup]:
        """The group of one fingerprint, for each target that has it; none where there is none."""
        fault = fault_number(fingerprint)
        found = []
        for name, of in (await self._targets(consumer)).items():
            one = await self._group(name, fault, await self._unmarked(name))
            found += [] if one is None else [ConsumerGroup(of, one)]
        return found

    async def retry(self, consumer: str, fingerprint: str, portion: Portion, asked: Asked) -> PortionDone:
        """Replays a portion of a group: all that is parked for its keys. Raises NoSuchConsumer, NoSuchDeadLetter (where
        the group has nothing at all), ReplayTimeout."""
        portion, firsts, after = await self._portion(consumer, fingerprint, portion)
        outcome = await self._retried(consumer, fingerprint, firsts, asked) if firsts else Outcome(0, 0, [])
        if after is None:
            tried = {_key_of(one) for one in firsts}
            while some := await self._left_behind(consumer, fault_number(fingerprint), portion.limit, tried):
                outcome = _both(outcome, await self._retried(consumer, fingerprint, some, asked))
                tried.update(map(_key_of, some))
        return PortionDone(outcome, 0, after, portion.asked_at)

    async def discard(self, consumer: str, fingerprint: str, portion: Portion, asked: Asked) -> PortionDone:
        """Leaves the events of a portion that failed out for good, and replays what stood behind them. Raises as
        `retry` does."""
        portion, firsts, after = await self._portion(consumer, fingerprint, portion)
        if not firsts:
            return PortionDone(Outcome(0, 0, []), 0, None, portion.asked_at)
        positions = len({(one.position, one.key) for one in firsts})
        async with audited(self._audit, consumer, "discard", asked, firsts, group=fingerprint) as told:
            records = await self._with_later(firsts)
            writes = {(one.position, one.kind, one.key): discarding(one, asked.reason) for one in firsts}
            await self._store.write(DISCARDED_EVENTS, list(writes.values()))
            told.discarded = positions
            outcome = told.told(await self._replays.replay(consumer, records))
        return PortionDone(outcome, positions, after, portion.asked_at)

    async def _portion(
        self, consumer: str, fingerprint: str, portion: Portion
    ) -> tuple[Portion, list[ParkedEvent], int | None]:
        """What parks the keys of a portion, and where the next begins."""
        fault = fault_number(fingerprint)
        await self._replays.check(consumer)
        if portion.asked_at < 0:
            if not await self.of_fingerprint(consumer, fingerprint):
                raise NoSuchDeadLetter(f"nothing of {consumer} is parked in a group {fingerprint}")
            # Later than all that has been seen, which may be of this very millisecond.
            portion = msgspec.structs.replace(portion, asked_at=now_millis() + 1)
        found: list[ParkedEvent] = []
        async for record in self._members(consumer, fault, portion.after):
            if len(found) >= portion.limit and record.position > found[-1].position:
                return portion, found, found[-1].position
            if max(record.parked_at, record.retried_at) < portion.asked_at:
                found.append(record)
        return portion, found, None

    async def _members(self, consumer: str, fault: int, after: int) -> AsyncIterator[ParkedEvent]:
        """The group's events that failed themselves, in commit order."""
        where: dict[str, Any] = {"consumer": consumer, "first": 1}
        targets = await self._targets(consumer)
        if not any([await self._unmarked(name) for name in targets]):
            where["fault"] = fault
        async for document in scan_pages(self._store, PARKED_EVENTS, where, by="position", after=after):
            record = parked_record(document)
            if record.target in targets and record.cause.fault == fault:
                yield record

    async def _left_behind(
        self, consumer: str, fault: int, limit: int, tried: set[tuple[str, str, str]]
    ) -> list[ParkedEvent]:
        """One record of up to so many keys that are in a group although what leads them is in another, or gone: a
        process ended before it had taken down all that a replay came to. A retry of these keys puts it right."""
        targets = await self._targets(consumer)
        known = {_key_of(one) async for one in self._members(consumer, fault, -1)} | tried
        found: dict[tuple[str, str, str], ParkedEvent] = {}
        where: dict[str, Any] = {"consumer": consumer, "fault": fault}
        async for document in scan_pages(self._store, PARKED_EVENTS, where, by="position"):
            record = parked_record(document)
            if record.target in targets and (key := _key_of(record)) not in known:
                found.setdefault(key, record)
            if len(found) >= limit:
                break
        return list(found.values())

    async def _retried(self, consumer: str, fingerprint: str, some: Sequence[ParkedEvent], asked: Asked) -> Outcome:
        async with audited(self._audit, consumer, "retry", asked, some, group=fingerprint) as told:
            return told.told(await self._replays.replay(consumer, await self._with_later(some)))

    async def _with_later(self, firsts: Sequence[ParkedEvent]) -> list[ParkedEvent]:
        """All that is parked for the same keys."""
        keys: dict[str, set[str]] = {}
        for one in firsts:
            keys.setdefault(one.target, set()).add(one.key)
        return [record for target, some in keys.items() async for record in records_of_keys(self._store, target, some)]

    async def _targets(self, consumer: str | None) -> dict[str, str]:
        """The consumer of each target whose dead letters are shown."""
        loaded = await self._catalogue.load(None if consumer is None else [consumer])
        return {target.name: target.consumer for one in loaded.values() for target in one.shown}

    async def _group(self, target: str, fault: int, unmarked: dict[int, Group]) -> Group | None:
        marked = await self._groups.group(target, fault)
        other = unmarked.get(fault)
        if marked is None or other is None:
            return marked or other
        return merged(marked, other)

    async def _unmarked(self, target: str) -> dict[int, Group]:
        """The groups of records that an older release has made: all of the target's are read for that, where there are
        any."""
        every, marked = await self._groups.counted(target)
        if every == marked:
            return {}
        causes: dict[tuple[str, str], ParkedEvent] = {}
        found: list[GroupedRecord] = []
        async for document in scan_pages(self._store, PARKED_EVENTS, {"target": target}, by="position"):
            record = parked_record(document)
            # What stands behind another has that one's.
            leading = causes.setdefault((record.kind, record.key), record)
            if not record.fingerprint:
                found.append(_grouped(record, leading))
        return dict(fold_groups(target, found))


def _key_of(record: ParkedEvent) -> tuple[str, str, str]:
    return record.target, record.kind, record.key


def _both(one: Outcome, other: Outcome) -> Outcome:
    failures = [*one.failures, *(failure for failure in other.failures if failure not in one.failures)]
    remaining = one.remaining + other.remaining
    return Outcome(one.replayed + other.replayed, remaining, [*one.errors, *other.errors], failures)


def _grouped(record: ParkedEvent, leading: ParkedEvent) -> GroupedRecord:
    cause = leading.cause
    return GroupedRecord(
        fault=cause.fault,
        fingerprint=cause.fingerprint,
        first=record.first,
        position=record.position,
        parked_at=record.parked_at,
        event_type=record.event_type,
        message=cause.message,
        place=cause.place,
    )
