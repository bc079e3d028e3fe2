"""Leases: who folds which shard, under an epoch that rises with every change of hands."""

import time
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from infrastructure.read_store import Write
from projector.builds.shards import Shard
from projector.ports import DocumentStore

LEASES = "projector_leases"
NOBODY = ""


class Lease(Struct, frozen=True):
    """A lease ends with its owner's heartbeats, or when the owner gives it up (`owner` is then empty).

    `taken_at` is in epoch milliseconds.
    """

    view: str
    collection: str
    layout: int
    partition: int
    owner: str
    taken_at: int


class Holding(Struct, frozen=True):
    """A lease as it stands: its owner (empty: nobody) and its epoch."""

    owner: str
    epoch: int


FREE = Holding(NOBODY, 0)


class Leases:
    """Every method raises what the store raises."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that leases can be stored."""
        await self._store.prepare(LEASES, Lease, ())

    async def load(self, shards: Sequence[Shard]) -> Mapping[str, Holding]:
        """The leases of those shards, by key."""
        found = await self._store.load(LEASES, [shard.key for shard in shards])
        return {
            key: Holding(held.fields["owner"], held.position) for key, held in found.items() if held.fields is not None
        }

    async def pass_on(self, shards: Sequence[Shard], before: Mapping[str, Holding], owner: str) -> frozenset[str]:
        """Gives each shard's lease, as it was `before`, to `owner` under the next epoch; answers the keys passed on.

        Where somebody was faster nothing happens: of several who write the same epoch the store takes the first.
        """
        now = time.time_ns() // 1_000_000
        writes = [
            Write(
                shard.key,
                before.get(shard.key, FREE).epoch + 1,
                msgspec.to_builtins(
                    Lease(shard.view, shard.build.collection, shard.layout, shard.partition, owner, now)
                ),
            )
            for shard in shards
        ]
        refused = await self._store.write(LEASES, writes) if writes else frozenset[str]()
        return frozenset(write.key for write in writes) - refused
