"""Leases: which process works on which partition, under an epoch that rises with every change of owner."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from infrastructure.checkpoints import PartitionRef
from infrastructure.clock import now_millis
from infrastructure.read_store import Write
from subscriptions.ports import DocumentStore

LEASES = "leases"
NOBODY = ""


class Lease(Struct, frozen=True):
    """A lease ends with its owner's heartbeats, or when the owner gives it up (`owner` is then empty).

    `taken_at` is in epoch milliseconds.
    """

    consumer: str
    target: str
    partition_epoch: int
    partition: int
    owner: str
    taken_at: int


class LeaseState(Struct, frozen=True):
    """The present state of a lease: its owner (empty: nobody) and its epoch."""

    owner: str
    epoch: int


FREE = LeaseState(NOBODY, 0)


class Leases:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that leases can be stored."""
        await self._store.prepare(LEASES, Lease, ())

    async def load(self, refs: Sequence[PartitionRef]) -> Mapping[str, LeaseState]:
        """The leases of those partitions, by key."""
        found = await self._store.load(LEASES, [ref.key for ref in refs])
        return {
            key: LeaseState(stored.fields["owner"], stored.position)
            for key, stored in found.items()
            if stored.fields is not None
        }

    async def pass_on(
        self, refs: Sequence[PartitionRef], before: Mapping[str, LeaseState], owner: str
    ) -> frozenset[str]:
        """Gives each partition's lease, as it was `before`, to `owner` under the next epoch; returns the keys
        that were.

        Where another process was faster nothing happens: of several writes of one epoch the store takes the first.
        """
        writes = [
            Write(ref.key, before.get(ref.key, FREE).epoch + 1, msgspec.to_builtins(_lease(ref, owner))) for ref in refs
        ]
        refused = await self._store.write(LEASES, writes) if writes else frozenset[str]()
        return frozenset(write.key for write in writes) - refused


def _lease(ref: PartitionRef, owner: str) -> Lease:
    target = ref.target
    return Lease(target.consumer, target.name, target.partition_epoch, ref.partition, owner, now_millis())
