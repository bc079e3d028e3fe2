"""The units of work: one partition of one build, which exactly one process folds at a time."""

from collections.abc import Iterable

from msgspec import Struct

from infrastructure.view_registry import Build, ViewRecord
from infrastructure.view_registry.checkpoints import checkpoint_key


class Shard(Struct, frozen=True):
    """One partition of a build in the present layout of its view."""

    view: str
    build: Build
    layout: int
    partition: int

    @property
    def key(self) -> str:
        """What its lease and its checkpoint are called."""
        return checkpoint_key(self.build.collection, self.layout, self.partition)

    @property
    def ability(self) -> str:
        """What a process must be able to do to fold it; see `ability`."""
        return ability(self.view, self.build.version)


def ability(view: str, version: int) -> str:
    """The name for knowing how to fold a version of a view."""
    return f"{view}:{version}"


def shards_of(records: Iterable[ViewRecord]) -> list[Shard]:
    """Every unit of work there is, the live builds first."""
    by_role = [
        [
            Shard(record.view, build, record.layout, partition)
            for build in builds
            if build is not None
            for partition in range(record.partitions)
        ]
        for record in records
        for builds in [(record.live, record.candidate, record.previous)]
    ]
    return [shard for group in by_role for shard in group]
