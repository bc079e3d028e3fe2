"""What the query API reads of the read store, in memory: records, checkpoints and documents; counted, held up, away."""

import asyncio
from collections.abc import Sequence

from infrastructure.checkpoints import CHECKPOINTS, PartitionRef, Target
from infrastructure.read_store import ReadStoreUnavailable, StoredDocument
from infrastructure.view_registry import Build, ViewRecord
from infrastructure.view_registry.transitions import first_record, switched, with_candidate
from read_models.model.view import View

RECORDS = "records"


class Clock:
    """A clock that the test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class MemoryReads:
    """Answers as query_api.reading.bounded_reads.BoundedReads does; each answer is of the moment when its read ends.

    While `held_up` is set, reads wait; `away` makes them fail. `reads` lists collections and keys of every read.
    """

    def __init__(self, *views: View) -> None:
        self.by_view = {view.name: first_record(view.name, view.version, 1, 1) for view in views}
        self.positions: dict[str, int] = {}
        self.documents: dict[str, dict[str, StoredDocument]] = {}
        self.reads: list[tuple[str, list[str]]] = []
        self.away = False
        self._open = asyncio.Event()
        self._open.set()

    def hold_up(self) -> None:
        """Reads wait from now on."""
        self._open.clear()

    def go_on(self) -> None:
        """Reads that wait end."""
        self._open.set()

    def count(self, collection: str) -> int:
        """How many reads there were of a collection."""
        return sum(one == collection for one, _ in self.reads)

    def reach(self, build: Build, layout: int, *positions: int) -> None:
        """The checkpoints of a build's partitions."""
        for partition, position in enumerate(positions):
            ref = PartitionRef(Target("", build.collection, build.version, len(positions), layout), partition)
            self.positions[ref.key] = position

    def switch(self, view: View) -> Build:
        """Makes a new build and serves it; answers which one."""
        self.by_view[view.name] = with_candidate(self.by_view[view.name], view.version, 2)
        return self.switch_under_way(view)

    def switch_under_way(self, view: View) -> Build:
        """Serves the build that is under way; answers which one."""
        self.by_view[view.name] = switched(self.by_view[view.name], 3, 4)
        return self.by_view[view.name].live

    async def records(self, views: Sequence[str]) -> dict[str, ViewRecord]:
        await self._read(RECORDS, views)
        return {view: self.by_view[view] for view in views if view in self.by_view}

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        await self._read(collection, keys)
        kept = self.documents.get(collection, {})
        if collection == CHECKPOINTS:
            kept = {key: StoredDocument(position, {}) for key, position in self.positions.items()}
        return {key: kept[key] for key in keys if key in kept}

    async def _read(self, collection: str, keys: Sequence[str]) -> None:
        self.reads.append((collection, list(keys)))
        await asyncio.sleep(0)
        await self._open.wait()
        if self.away:
            raise ReadStoreUnavailable("away")


async def turns(count: int = 50) -> None:
    """Lets every task that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)
