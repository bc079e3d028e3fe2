"""Consumers with one target each, under a record that says how it is divided."""

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic

import msgspec
import structlog
from msgspec import Struct

from infrastructure.checkpoints import CHECKPOINTS, Anchor, Target, Trail
from infrastructure.checkpoints.target import ability
from infrastructure.read_store import Page, Write
from subscriptions.assignment import Assignment
from subscriptions.consumer import Consumer
from subscriptions.membership.leases import LEASES, LeaseState
from subscriptions.membership.member import Member, PauseAck
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.ports import DocumentStore
from subscriptions.store.retrying_store import RetryingStore

log = structlog.get_logger(__name__)

CONSUMER_RECORDS = "consumer_records"
_MOST_CONSUMERS = 1000


class ConsumerRecord(Struct, frozen=True):
    """A consumer that has begun. `version` is the newest that has ever run: older code gets none of its work any more.
    `sequence` rises with every change.

    With each reset (counted by `resets`) it begins anew after the position `base`, up to which `base_anchors` are the
    log: under another name, so that nothing of what it was before can be taken for its own. `retired` are the names
    that are about to be removed.
    """

    consumer: str
    version: int
    partitions: int
    sequence: int
    resets: int = 0
    base: int = -1
    base_anchors: list[Anchor] = []
    retired: list[str] = []

    @property
    def target(self) -> Target:
        """What it brings up to date, named as itself until it is reset."""
        name = f"{self.consumer}_reset_{self.resets}" if self.resets else self.consumer
        return Target(
            self.consumer, name, self.version, self.partitions, base=self.base, base_trail=tuple(self.base_anchors)
        )

    def reset(self, base: int, trail: Trail) -> "ConsumerRecord":
        """The record of the consumer that begins anew after a position."""
        return msgspec.structs.replace(
            self,
            sequence=self.sequence + 1,
            resets=self.resets + 1,
            base=base,
            base_anchors=list(trail),
            retired=[*self.retired, self.target.name],
        )


class ConsumerRecords:
    """The records of all plain consumers, whichever process runs them. Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that records can be stored."""
        await self._store.prepare(CONSUMER_RECORDS, ConsumerRecord, (("sequence",),))

    async def load(self, names: Collection[str] | None = None) -> Mapping[str, ConsumerRecord]:
        """The records of the consumers named, or of all of them without `names`."""
        if names is None:
            page = await self._store.page(CONSUMER_RECORDS, Page({}, by="sequence", limit=_MOST_CONSUMERS))
            found = dict(page)
        else:
            found = await self._store.load(CONSUMER_RECORDS, list(names))
        return {name: msgspec.convert(stored.fields, ConsumerRecord) for name, stored in found.items()}

    async def save(self, record: ConsumerRecord) -> bool:
        """Stores a record that follows from the one stored now; False when another process was faster."""
        fields = msgspec.to_builtins(record)
        write = Write(record.consumer, record.sequence, fields, new=record.sequence == 1)
        return not await self._store.write(CONSUMER_RECORDS, [write])

    async def remove(self, record: ConsumerRecord, target: str) -> None:
        """Removes all that is recorded of a retired target, and then its name."""
        for collection in (CHECKPOINTS, PARKED_EVENTS, LEASES):
            await self._store.remove(collection, {"target": target})
        left = [one for one in record.retired if one != target]
        await self.save(msgspec.structs.replace(record, sequence=record.sequence + 1, retired=left))


class PlainWorkload:
    """The consumers given, each divided into `partitions` when it begins. `quiet` is in seconds: how long other
    processes may still write what a record no longer names. Implements Workload."""

    low_latency = False
    paused_as = "paused_by_operator"

    def __init__(
        self, store: DocumentStore, consumers: Sequence[Consumer], partitions: int, *, quiet: float = 10.0
    ) -> None:
        self._consumers = {consumer.name: consumer for consumer in consumers}
        self._records = ConsumerRecords(store)
        self._partitions = partitions
        self._quiet = quiet
        self._known: Mapping[str, ConsumerRecord] = {}
        self._retired_since: dict[str, float] = {}

    @property
    def names(self) -> Sequence[str]:
        return list(self._consumers)

    @property
    def abilities(self) -> Sequence[str]:
        return [ability(one.name, one.version) for one in self._consumers.values()]

    async def prepare(self) -> None:
        await self._records.prepare()

    async def refresh(self, alive: Mapping[str, Member]) -> Sequence[Target]:
        records = await self._records.load(self._consumers)
        behind = [one for one in self._consumers.values() if _is_behind(records.get(one.name), one)]
        for consumer in behind:
            await self._records.save(self._next_record(records.get(consumer.name), consumer))
            log.info("consumer registered", consumer=consumer.name, consumer_version=consumer.version)
        if behind:
            records = await self._records.load(self._consumers)
        self._known = records
        return [record.target for record in records.values()]

    def _next_record(self, record: ConsumerRecord | None, consumer: Consumer) -> ConsumerRecord:
        if record is None:
            return ConsumerRecord(consumer.name, consumer.version, self._partitions, 1)
        return msgspec.structs.replace(record, version=consumer.version, sequence=record.sequence + 1)

    def consumer(self, assignment: Assignment, store: RetryingStore) -> Consumer:
        return self._consumers[assignment.target.consumer]

    def is_paused(self, target: Target) -> bool:
        return False

    def limit(self, target: Target) -> int | None:
        return None

    def pause_acks(self, runs: Callable[[str], bool]) -> Sequence[PauseAck]:
        return ()

    async def maintain(self, instance: str, leases: Mapping[str, LeaseState], alive: Mapping[str, Member]) -> None:
        """Removes what is left of consumers from before a reset, once no process can still write it."""
        for record in self._known.values():
            lease = leases.get(record.target.refs[0].key)
            for target in record.retired if lease is not None and lease.owner == instance else ():
                if monotonic() - self._retired_since.setdefault(target, monotonic()) > self._quiet:
                    await self._records.remove(record, target)
                    log.info("the consumer's state from before its reset is removed", consumer=record.consumer)
                    break  # the record has changed


def _is_behind(record: ConsumerRecord | None, consumer: Consumer) -> bool:
    return record is None or record.version < consumer.version
