"""The views' records in the read store; a change is made on the record that was read, or not at all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from infrastructure.read_store import StoredDocument, Write
from infrastructure.view_registry.record import ViewRecord

VIEW_RECORDS = "view_records"
_MOST_ATTEMPTS = 20


class RecordStore(Protocol):
    """What is needed of the read store; see infrastructure.read_store.ReadStore."""

    async def prepare(self, collection: str, struct: type[Struct], indexes: Sequence[tuple[str, ...]]) -> None: ...

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]: ...

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[str]: ...


class ViewRegistry:
    """Every method raises what the store raises."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    async def prepare(self) -> None:
        """Checks that records can be stored."""
        await self._store.prepare(VIEW_RECORDS, ViewRecord, ())

    async def load(self, views: Sequence[str]) -> Mapping[str, ViewRecord]:
        """The records of those views that have one."""
        found = await self._store.load(VIEW_RECORDS, views)
        return {view: msgspec.convert(stored.fields, ViewRecord) for view, stored in found.items()}

    async def save(self, record: ViewRecord) -> bool:
        """Stores a record that was made from the one stored now; False when that one has been changed meanwhile."""
        write = Write(record.view, record.sequence, msgspec.to_builtins(record), new=record.sequence == 1)
        return not await self._store.write(VIEW_RECORDS, [write])

    async def change(self, view: str, transition: Callable[[ViewRecord], ViewRecord]) -> ViewRecord:
        """Makes a transition on the record as it is now; returns the record after it.

        Raises KeyError when the view has no record, and whatever the transition raises; then nothing has changed.
        """
        for _ in range(_MOST_ATTEMPTS):
            changed = transition((await self.load([view]))[view])
            if await self.save(changed):
                return changed
        raise RuntimeError(f"the record of {view} changed {_MOST_ATTEMPTS} times while it was to be changed")
