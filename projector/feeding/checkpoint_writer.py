"""Writes checkpoints behind the documents: whatever has been noted while a write was under way goes with the next."""

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

import msgspec
import structlog

from infrastructure.read_store import StoredDocument, Write
from infrastructure.view_registry import CHECKPOINTS, Checkpoint
from infrastructure.view_registry.checkpoints import checkpoint_key
from projector.errors import Stopping
from projector.folding.share import Share
from projector.ports import DocumentStore

log = structlog.get_logger(__name__)

_AFTER_A_FAULT = 0.5


class Advancing(Protocol):
    """Whose checkpoints are written; see projector.feeding.projection.Projection."""

    share: Share
    view_name: str
    events: int

    def arrived(self, position: int) -> None: ...


class CheckpointWriter:
    """The checkpoints of everything that one process projects, each written after the documents that it stands for.

    A checkpoint never goes back: a write is refused, rightly, when another writer is ahead. `owner` names the process.
    """

    def __init__(self, store: DocumentStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._noted: dict[Advancing, int] = {}
        self._news = asyncio.Event()
        self._written = asyncio.Condition()
        self._writing: Mapping[Advancing, int] = {}
        self._ended = False

    async def prepare(self) -> None:
        """Checks that checkpoints can be stored."""
        await self._store.prepare(CHECKPOINTS, Checkpoint, ())

    async def load(self, share: Share) -> dict[int, StoredDocument | None]:
        """What is stored for each partition of a share."""
        keys = {checkpoint_key(share.build.collection, share.layout, one): one for one in share.owned}
        found = await self._store.load(CHECKPOINTS, list(keys))
        return {partition: found.get(key) for key, partition in keys.items()}

    def note(self, projection: Advancing, position: int) -> None:
        """All documents up to `position` are written."""
        self._noted[projection] = position
        self._news.set()

    async def run(self) -> None:
        """Writes until the store's patience ends with Stopping; nothing more is written then."""
        try:
            while True:
                await self._news.wait()
                try:
                    await self._write()
                except Stopping:
                    return
                except Exception:
                    log.exception("checkpoints could not be written; trying again")
                    self._noted = {**self._writing, **self._noted}
                    self._news.set()
                    await asyncio.sleep(_AFTER_A_FAULT)
        finally:
            self._ended = True
            async with self._written:
                self._written.notify_all()

    async def settled(self, projection: Advancing) -> None:
        """Waits until the last checkpoint of a projection is written, or never will be."""
        async with self._written:
            await self._written.wait_for(
                lambda: self._ended or (projection not in self._noted and projection not in self._writing)
            )

    async def _write(self) -> None:
        self._news.clear()
        self._writing, self._noted = self._noted, {}
        await self._store.write(CHECKPOINTS, [one for pair in self._writing.items() for one in self._writes(*pair)])
        for projection, position in self._writing.items():
            projection.arrived(position)
        self._writing = {}
        async with self._written:
            self._written.notify_all()

    def _writes(self, projection: Advancing, position: int) -> list[Write]:
        share, now = projection.share, time.time_ns() // 1_000_000
        return [
            Write(
                checkpoint_key(share.build.collection, share.layout, partition),
                position,
                msgspec.to_builtins(
                    Checkpoint(
                        view=projection.view_name,
                        collection=share.build.collection,
                        version=share.build.version,
                        layout=share.layout,
                        partition=partition,
                        events=projection.events,
                        owner=self._owner,
                        updated_at=now,
                    )
                ),
            )
            for partition in share.owned
        ]
