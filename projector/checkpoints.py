"""How far each view has come, kept beside its documents and written after them."""

import time
from collections.abc import Iterable

from msgspec import Struct

from infrastructure.read_store import Write
from projector.ports import DocumentStore
from read_models.view import View

COLLECTION = "checkpoints"


class Checkpoint(Struct, frozen=True):
    """The fields beside `_id` (the view's collection) and `_position`; `updated_at` is in epoch milliseconds."""

    view: str
    version: int
    updated_at: int


class Checkpoints:
    """The checkpoints of every view in a read store."""

    def __init__(self, store: DocumentStore) -> None:
        self.store = store

    async def load(self, view: View) -> int | None:
        """The position up to which the view has folded the log; None when it has yet to begin."""
        await self.store.prepare(COLLECTION, Checkpoint, ())
        found = await self.store.load(COLLECTION, [view.collection])
        held = found.get(view.collection)
        return None if held is None else held.position

    async def advance(self, views: Iterable[View], position: int) -> None:
        """Moves the checkpoints of views on, each by itself, in one call to the store.

        A checkpoint never goes back: a write is refused, rightly, when another writer is ahead.
        """
        now = time.time_ns() // 1_000_000
        writes = [
            Write(view.collection, position, {"view": view.name, "version": view.version, "updated_at": now})
            for view in views
        ]
        if writes:
            await self.store.write(COLLECTION, writes)
