"""What part of a view's build one process folds."""

from msgspec import Struct

from infrastructure.view_registry import Build, partition_of


class Share(Struct, frozen=True):
    """Some (`owned`) of the partitions of a build, of which there are `partitions` in the present `layout`."""

    build: Build
    layout: int
    partitions: int
    owned: frozenset[int]

    @property
    def is_whole(self) -> bool:
        """Whether every document of the build belongs to it."""
        return len(self.owned) == self.partitions

    def of(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the keys that belong to it."""
        return tuple(key for key in keys if partition_of(key, self.partitions) in self.owned)
