"""Groups of dead letters for operators: listed, retried and discarded a portion at a time, as those of the log's
consumers are."""

from collections.abc import AsyncIterator, Mapping

import msgspec
from msgspec import Struct

from inbound.dead_letters import DeadLetterStore
from inbound.inbox import Overtaken
from inbound.operating import DeadLetterOperations
from inbound.records import DeadLetterRecord, grouped
from inbound.retrying import BeingRetried, Retrying, SourceParts, summed
from infrastructure.clock import now_millis
from infrastructure.dead_letters.audit import DeadLetterAudit
from infrastructure.dead_letters.failure import Failure, fault_number
from infrastructure.dead_letters.groups import Group, GroupedRecord, fold_groups, merged
from subscriptions.operating.audited import Asked, audited
from subscriptions.operating.dead_letter_groups import ConsumerGroup, Portion, PortionDone
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter, Outcome


class _Chosen(Struct, frozen=True):
    """A portion: what `failed` itself, and what was `left` in the group although it stands behind nothing of it. The
    next portion begins after `next`."""

    failed: list[DeadLetterRecord] = []
    left: list[DeadLetterRecord] = []
    next: int | None = None


class GroupOperations:
    """Methods raise what the store raises, and ValueError for a group that is no fingerprint."""

    def __init__(
        self,
        parts: Mapping[str, SourceParts],
        dead_letters: DeadLetterStore,
        letters: DeadLetterOperations,
        retrying: Retrying,
        audit: DeadLetterAudit,
    ) -> None:
        self._parts = parts
        self._dead_letters = dead_letters
        self._letters = letters
        self._retrying = retrying
        self._audit = audit

    async def page(
        self, consumer: str | None, *, after: str | None, limit: int
    ) -> tuple[list[ConsumerGroup], str | None]:
        """The groups of a source's consumer, or of all, with up to `limit` fingerprints after one, in their order; and
        the last fingerprint where there are more."""
        unmarked = {name: await self._unmarked(name) for name in self._named(consumer)}
        above = -1 if after is None else fault_number(after)
        faults = {fault for some in unmarked.values() for fault in some if fault > above}
        for name in unmarked:
            faults.update(await self._dead_letters.groups.faults(name, after=above, limit=limit + 1))
        page = sorted(faults)[:limit]
        found = [
            ConsumerGroup(name, one)
            for fault in page
            for name, some in unmarked.items()
            if (one := await self._group(name, fault, some)) is not None
        ]
        return found, f"{page[-1]:012x}" if len(faults) > limit else None

    async def of_fingerprint(self, consumer: str | None, fingerprint: str) -> list[ConsumerGroup]:
        """The group of one fingerprint, for each consumer that has it; none where there is none."""
        fault = fault_number(fingerprint)
        found = [(name, await self._group(name, fault, await self._unmarked(name))) for name in self._named(consumer)]
        return [ConsumerGroup(name, one) for name, one in found if one is not None]

    async def retry(self, consumer: str, fingerprint: str, portion: Portion, asked: Asked) -> PortionDone:
        """Handles a portion of a group again: all that is set aside for its keys. Raises NoSuchConsumer,
        NoSuchDeadLetter (where the group has nothing at all), and what stands for something that is away."""
        portion, chosen = await self._portion(consumer, fingerprint, portion)
        records = [*chosen.failed, *chosen.left]
        if not records:
            return PortionDone(Outcome(0, 0, []), 0, chosen.next, portion.asked_at)
        parts = self._parts[consumer]
        async with audited(self._audit, consumer, "retry", asked, records, group=fingerprint) as told:
            outcomes = [await self._retrying.some(parts, chosen.failed), *await self._put_right(parts, chosen.left)]
            return PortionDone(told.told(summed(outcomes)), 0, chosen.next, portion.asked_at)

    async def discard(self, consumer: str, fingerprint: str, portion: Portion, asked: Asked) -> PortionDone:
        """Leaves the messages of a portion that failed out for good, and handles what stood behind them. Raises as
        `retry` does."""
        portion, chosen = await self._portion(consumer, fingerprint, portion)
        records = [*chosen.failed, *chosen.left]
        if not records:
            return PortionDone(Outcome(0, 0, []), 0, chosen.next, portion.asked_at)
        parts = self._parts[consumer]
        async with audited(self._audit, consumer, "discard", asked, records, group=fingerprint) as told:
            outcomes: list[Outcome] = []
            for record in chosen.failed:
                await self._letters.leave_out(record, asked.reason, asked.by)
                told.discarded += 1
                outcomes.append(Outcome(1, 0, []))
                if parts.in_order(record):
                    outcomes.append(await self._retrying.some(parts, [record]))
                told.told(summed(outcomes))
            outcomes += await self._put_right(parts, chosen.left)
            return PortionDone(told.told(summed(outcomes)), told.discarded, chosen.next, portion.asked_at)

    async def _put_right(self, parts: SourceParts, left: list[DeadLetterRecord]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for record in left:
            try:
                outcomes.append(await self._retrying.put_right(parts, record))
            except (BeingRetried, Overtaken) as error:
                outcomes.append(Outcome(0, 1, [str(error)]))
        return outcomes

    async def _portion(self, consumer: str, fingerprint: str, portion: Portion) -> tuple[Portion, _Chosen]:
        """Which dead letters a portion of so many keys has."""
        fault = fault_number(fingerprint)
        if consumer not in self._parts:
            raise NoSuchConsumer(consumer, sorted(self._parts))
        if portion.asked_at < 0:
            if not await self.of_fingerprint(consumer, fingerprint):
                raise NoSuchDeadLetter(f"nothing of {consumer} is set aside in a group {fingerprint}")
            # Later than all that has been seen, which may be of this very millisecond.
            portion = msgspec.structs.replace(portion, asked_at=now_millis() + 1)
        chosen, seen, last = _Chosen(), set[str](), portion.after
        async for record in self._members(consumer, fault, portion.after):
            if len(seen) >= portion.limit and record.position > last:
                return portion, msgspec.structs.replace(chosen, next=last)
            last = record.position
            if max(record.parked_at, record.retried_at) >= portion.asked_at:
                continue
            place = record.key if self._parts[consumer].in_order(record) else record.identity
            if record.first:
                chosen.failed.append(record)
            elif place not in seen and await self._is_left(record, fault):
                chosen.left.append(record)
            seen.add(place)
        return portion, chosen

    async def _members(self, consumer: str, fault: int, after: int) -> AsyncIterator[DeadLetterRecord]:
        """All of the group, the oldest first."""
        if not await self._unmarked(consumer):
            async for record in self._dead_letters.all(consumer, fault=fault, after=after):
                yield record
            return
        async for record in self._dead_letters.all(consumer, after=after):
            if (await self._cause(record)).fault == fault:
                yield record

    async def _is_left(self, record: DeadLetterRecord, fault: int) -> bool:
        """Whether nothing of the group stands before it: a process ended before it could say so, or handle it."""
        leading = await self._dead_letters.leading(record.consumer, record.key)
        return leading is None or not leading.first or leading.cause.fault != fault

    async def _cause(self, record: DeadLetterRecord) -> Failure:
        """What stands behind another has that one's, where an older release has not recorded it."""
        if record.first or record.fingerprint:
            return record.cause
        leading = await self._dead_letters.leading(record.consumer, record.key)
        return (leading or record).cause

    def _named(self, consumer: str | None) -> list[str]:
        return sorted(self._parts) if consumer is None else [consumer]

    async def _group(self, consumer: str, fault: int, unmarked: Mapping[int, Group]) -> Group | None:
        marked, other = await self._dead_letters.groups.group(consumer, fault), unmarked.get(fault)
        return merged(marked, other) if marked is not None and other is not None else marked or other

    async def _unmarked(self, consumer: str) -> Mapping[int, Group]:
        """The groups of records that an older release has made: all of the consumer's are read for that, where there
        are any."""
        every, marked = await self._dead_letters.groups.counted(consumer)
        if every == marked:
            return {}
        found: list[GroupedRecord] = []
        async for record in self._dead_letters.all(consumer):
            if not record.fingerprint:
                found.append(grouped(record, await self._cause(record)))
        return fold_groups(consumer, found)
