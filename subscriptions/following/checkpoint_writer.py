"""Writes checkpoints after the work: all that has been noted during one write goes with the next."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec
import structlog

from infrastructure.checkpoints import CHECKPOINTS, NO_TRAIL, Checkpoint, Trail
from infrastructure.clock import now_millis
from infrastructure.read_store import StoredDocument, Write
from subscriptions.assignment import Assignment
from subscriptions.errors import Stopping
from subscriptions.following.throughput import Throughput
from subscriptions.ports import DocumentStore

log = structlog.get_logger(__name__)

_AFTER_A_FAULT = 0.5


class Advancing(Protocol):
    """What has its checkpoints written; see subscriptions.following.follower.Follower."""

    assignment: Assignment
    throughput: Throughput

    def checkpoint_written(self, position: int) -> None: ...


class CheckpointWriter:
    """The checkpoints of all that one process follows, each written after the work that it records.

    A checkpoint never goes back: a write is refused when another writer is ahead, which is right. `owner` names the
    process.
    """

    def __init__(self, store: DocumentStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._noted: dict[Advancing, tuple[int, Trail]] = {}
        self._news = asyncio.Event()
        self._written = asyncio.Condition()
        self._writing: Mapping[Advancing, tuple[int, Trail]] = {}
        self._ended = False

    async def prepare(self) -> None:
        """Checks that checkpoints can be stored."""
        await self._store.prepare(CHECKPOINTS, Checkpoint, ())

    async def load(self, assignment: Assignment) -> dict[str, StoredDocument]:
        """What is stored for its partitions, by key."""
        return await self._store.load(CHECKPOINTS, [ref.key for ref in assignment.refs])

    def note(self, follower: Advancing, position: int, trail: Trail = NO_TRAIL) -> None:
        """All work up to `position` is done; `trail` is the log up to there."""
        self._noted[follower] = position, trail
        self._news.set()

    async def run(self) -> None:
        """Writes until the store's retries end with Stopping; nothing more is written then."""
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

    async def flushed(self, follower: Advancing) -> None:
        """Waits until the last checkpoint of a follower is written, or never will be."""
        async with self._written:
            await self._written.wait_for(
                lambda: self._ended or (follower not in self._noted and follower not in self._writing)
            )

    async def _write(self) -> None:
        self._news.clear()
        self._writing, self._noted = self._noted, {}
        await self._store.write(
            CHECKPOINTS, [one for follower, at in self._writing.items() for one in self._writes(follower, *at)]
        )
        for follower, (position, _) in self._writing.items():
            follower.checkpoint_written(position)
        self._writing = {}
        async with self._written:
            self._written.notify_all()

    async def give_trail(self, follower: Advancing, position: int, trail: Trail) -> None:
        """Adds a trail to checkpoints at `position` that have none; one that has moved on is left as it is."""
        for write in self._writes(follower, position, trail):
            await self._store.replace_exactly(CHECKPOINTS, write, position)

    def _writes(self, follower: Advancing, position: int, trail: Trail) -> list[Write]:
        target, now, anchors = follower.assignment.target, now_millis(), list(trail)
        return [
            Write(
                ref.key,
                position,
                msgspec.to_builtins(
                    Checkpoint(
                        consumer=target.consumer,
                        target=target.name,
                        version=target.version,
                        partition_epoch=target.partition_epoch,
                        partition=ref.partition,
                        events=follower.throughput.total,
                        owner=self._owner,
                        updated_at=now,
                        anchors=anchors,
                    )
                ),
            )
            for ref in follower.assignment.refs
        ]
