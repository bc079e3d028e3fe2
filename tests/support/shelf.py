"""Writes records, documents and checkpoints as the projector does, so that queries have something to read."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.checkpoints import CHECKPOINTS, Checkpoint, PartitionRef
from infrastructure.read_store import Write
from infrastructure.view_registry import Build, ViewRecord, ViewRegistry
from infrastructure.view_registry.transitions import first_record, switched, with_candidate
from read_models.model.view import View

NOW = 1_773_489_600_123
NOW_TEXT = "2026-03-14T12:00:00.123Z"


class Shelf:
    """The views' documents in one read store; what is written goes into the live build, unless a build is named."""

    def __init__(self, store: Any, views: Sequence[View]) -> None:
        self.store = store
        self.views = views
        self.registry = ViewRegistry(store)
        self.records: dict[str, ViewRecord] = {}

    async def prepare(self) -> None:
        """Makes the views' first records and indexes."""
        for view in self.views:
            await self.save(first_record(view.name, view.version, 1, NOW))
            await self._indexes(view, self.live(view))

    async def save(self, record: ViewRecord) -> None:
        """Stores a record that follows from the one before."""
        assert await self.registry.save(record)
        self.records[record.view] = record

    def live(self, view: View) -> Build:
        """The build that queries are answered from."""
        return self.records[view.name].live

    async def rebuild(self, view: View) -> Build:
        """Begins a build beside the live one; it is empty."""
        await self.save(with_candidate(self.records[view.name], view.version, NOW))
        candidate = self.records[view.name].candidate
        assert candidate is not None
        await self._indexes(view, candidate)
        return candidate

    async def switch(self, view: View) -> None:
        """Serves that build from now on."""
        await self.save(switched(self.records[view.name], NOW, 600_000))

    async def write(self, view: View, documents: Iterable[tuple[str, int, Struct]], build: Build | None = None) -> None:
        """Documents, each with its key and the position of its last event."""
        writes = [Write(key, position, msgspec.to_builtins(document)) for key, position, document in documents]
        await self.store.write((build or self.live(view)).collection, writes)

    async def deleted(self, view: View, key: str, position: int) -> None:
        """A document that was there once."""
        await self.store.write(self.live(view).collection, [Write(key, position, None)])

    async def checkpoint(
        self, view: View, position: int, partition: int | None = None, build: Build | None = None
    ) -> None:
        """How far a partition has come, or all of them."""
        record = self.records[view.name]
        build = build or record.live
        writes = []
        for number in range(record.partitions) if partition is None else [partition]:
            key = PartitionRef(record.target(build), number).key
            fields = Checkpoint(
                view.name, build.collection, build.version, record.partition_epoch, number, 0, "shelf", NOW
            )
            writes.append(Write(key, position, msgspec.to_builtins(fields)))
        await self.store.write(CHECKPOINTS, writes)

    async def close(self) -> None:
        """Closes the connections."""
        await self.store.close()

    async def _indexes(self, view: View, build: Build) -> None:
        await self.store.prepare(build.collection, view.document, view.indexes)
