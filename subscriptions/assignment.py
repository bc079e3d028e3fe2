"""The part of a target that one process works on."""

from msgspec import Struct

from infrastructure.checkpoints import PartitionRef, Target, partition_of


class Assignment(Struct, frozen=True):
    """Some (`owned`) of the partitions of a target."""

    target: Target
    owned: frozenset[int]

    @property
    def is_whole(self) -> bool:
        """Whether every key belongs to it."""
        return len(self.owned) == self.target.partitions

    @property
    def refs(self) -> list[PartitionRef]:
        """Its partitions, in ascending order."""
        return [PartitionRef(self.target, partition) for partition in sorted(self.owned)]

    def of(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the keys that belong to it."""
        return tuple(key for key in keys if partition_of(key, self.target.partitions) in self.owned)
