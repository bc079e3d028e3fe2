"""What follows the log, divided into partitions: the units that are leased, and that have a checkpoint each."""

from zlib import crc32

from msgspec import Struct

from infrastructure.checkpoints.anchors import NO_TRAIL, Trail


class Target(Struct, frozen=True):
    """One thing that is brought up to date with the log: a build of a view, or what another consumer maintains.

    `consumer` is the consumer that it belongs to; `name` is unique among all targets. `version` is that of the code
    that can work on it. `partition_epoch` rises when the number of partitions changes: checkpoints and leases of
    another epoch are ignored. A partition without a checkpoint starts after the position `base`; -1 is before the first
    event. `base_trail` is the log up to there.
    """

    consumer: str
    name: str
    version: int
    partitions: int
    partition_epoch: int = 1
    base: int = -1
    base_trail: Trail = NO_TRAIL

    @property
    def refs(self) -> "list[PartitionRef]":
        """All of its partitions."""
        return [PartitionRef(self, partition) for partition in range(self.partitions)]

    @property
    def keys(self) -> list[str]:
        """The keys of the checkpoints of all of its partitions."""
        return [_key(self, partition) for partition in range(self.partitions)]

    @property
    def ability(self) -> str:
        """What a process must be able to do to work on it; see `ability`."""
        return ability(self.consumer, self.version)


class PartitionRef(Struct, frozen=True):
    """One partition of a target."""

    target: Target
    partition: int

    @property
    def key(self) -> str:
        """The key of its lease and of its checkpoint."""
        return _key(self.target, self.partition)


def _key(target: Target, partition: int) -> str:
    return f"{target.name}:{target.partition_epoch}:{partition}"


def ability(consumer: str, version: int) -> str:
    """The name of the ability to run a version of a consumer."""
    return f"{consumer}:{version}"


def partition_of(key: str, partitions: int) -> int:
    """The partition (0 to partitions - 1) to which a key belongs: the same in every process and at all times."""
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions if partitions > 1 else 0
