"""Dead letters in groups by their fingerprints, found by queries, so that not all of them are read.

The records may be of any collection of a read store whose documents have the fields of GroupedRecord, with indexes by
(owner, "fault", "parked_at") and (owner, "fault", "first", "position"), where `owner` is the field that says whose they
are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from infrastructure.dead_letters.failure import fault_number
from infrastructure.read_store import Comparison, Page, StoredDocument, Where


class GroupedRecord(Struct, frozen=True):
    """What a record must have: `fault` is the fingerprint as a number, `first` 1 for what failed and 0 for what stands
    behind it, with the same fingerprint. `parked_at` is in epoch milliseconds."""

    fault: int
    fingerprint: str
    first: int
    position: int
    parked_at: int
    event_type: str
    message: str
    place: str


class Group(Struct, frozen=True):
    """The dead letters of one owner with one fingerprint: how many, how many of them failed themselves (others stand
    behind them), when the first and the last was parked, in epoch milliseconds; and one of those that failed."""

    owner: str
    fingerprint: str
    count: int
    failed: int
    first_at: int
    last_at: int
    event_type: str
    message: str
    place: str
    sample: int


class Records(Protocol):
    """What is needed of the read store; see infrastructure.read_store.ReadStore."""

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]: ...

    async def count(self, collection: str, where: Where) -> int: ...


class Groups:
    """The groups in one collection. Every method raises what the store raises."""

    def __init__(self, store: Records, collection: str, owner: str) -> None:
        self._store = store
        self._collection = collection
        self._owner = owner

    async def faults(self, owner: str, *, after: int = -1, limit: int = 100) -> list[int]:
        """The numbers of the owner's fingerprints after one, ascending: one query each, however many records each
        has."""
        found: list[int] = []
        while len(found) < limit:
            where: dict[str, Any] = {self._owner: owner, "fault": Comparison(above=found[-1] if found else after)}
            record = await self._one(where, by="fault")
            if record is None:
                break
            found.append(record.fault)
        return found

    async def group(self, owner: str, fault: int) -> Group | None:
        """One group; None where it has no record (any more)."""
        of_group: dict[str, Any] = {self._owner: owner, "fault": fault}
        oldest = await self._one(of_group, by="parked_at")
        newest = await self._one(of_group, by="parked_at", newest=True)
        if oldest is None or newest is None:
            return None
        sample = await self._one({**of_group, "first": 1}, by="position") or oldest
        count = await self._store.count(self._collection, of_group)
        failed = await self._store.count(self._collection, {**of_group, "first": 1})
        return group_of(owner, sample, count, failed, (oldest.parked_at, newest.parked_at))

    async def counted(self, owner: str) -> tuple[int, int]:
        """How many records the owner has, and how many of them have a fingerprint: one that an older release made has
        none."""
        every = await self._store.count(self._collection, {self._owner: owner})
        if not every:
            return 0, 0
        where: dict[str, Any] = {self._owner: owner, "fault": Comparison(at_least=0)}
        return every, await self._store.count(self._collection, where)

    async def _one(self, where: Where, *, by: str, newest: bool = False) -> GroupedRecord | None:
        page = Page(where, by=by, limit=1, direction="descending" if newest else "ascending")
        found = await self._store.page(self._collection, page)
        return msgspec.convert(found[0][1].fields, GroupedRecord) if found else None


def group_of(owner: str, sample: GroupedRecord, count: int, failed: int, at: tuple[int, int]) -> Group:
    """A group, of which `sample` is one record."""
    return Group(
        owner=owner,
        fingerprint=sample.fingerprint,
        count=count,
        failed=failed,
        first_at=at[0],
        last_at=at[1],
        event_type=sample.event_type,
        message=sample.message,
        place=sample.place,
        sample=sample.position,
    )


def fold_groups(owner: str, records: Sequence[GroupedRecord]) -> Mapping[int, Group]:
    """The groups of records that are in memory, by the numbers of their fingerprints."""
    by_fault: dict[int, list[GroupedRecord]] = {}
    for record in sorted(records, key=lambda one: (-one.first, one.position)):
        by_fault.setdefault(fault_number(record.fingerprint), []).append(record)
    return {
        fault: group_of(
            owner,
            some[0],
            len(some),
            sum(one.first for one in some),
            (min(one.parked_at for one in some), max(one.parked_at for one in some)),
        )
        for fault, some in by_fault.items()
    }


def merged(one: Group, other: Group) -> Group:
    """Two parts of the same group."""
    return msgspec.structs.replace(
        one,
        count=one.count + other.count,
        failed=one.failed + other.failed,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        sample=min(one.sample, other.sample),
    )
