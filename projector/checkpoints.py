"""How far each view has come, kept beside its documents and written after them."""

import time

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


async def load_checkpoint(store: DocumentStore, view: View) -> int | None:
    """The position up to which the view has folded the log; None when it has yet to begin."""
    await store.prepare(COLLECTION, Checkpoint, ())
    found = await store.load(COLLECTION, [view.collection])
    held = found.get(view.collection)
    return None if held is None else held.position


async def advance_checkpoint(store: DocumentStore, view: View, position: int) -> None:
    """Moves the checkpoint on. It never goes back: a write is refused, rightly, when another writer is ahead."""
    fields = {"view": view.name, "version": view.version, "updated_at": time.time_ns() // 1_000_000}
    await store.write(COLLECTION, [Write(view.collection, position, fields)])
