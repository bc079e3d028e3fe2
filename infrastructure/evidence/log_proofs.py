"""What shows of a stream's events that they are in the log as it was signed, from the tree's folder."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from infrastructure.event_store import StoredEvent
from infrastructure.evidence.proofs import event_as_stored, proof_of
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verifier import NotProven, open_checkpoint, read_key

_ATTEMPTS = 3


class ProvenEvents(Struct, frozen=True):
    """A stream's events: `proof` has those that the newest checkpoint covers, None where it covers none; `not_covered`
    are the later ones, as they are stored."""

    proof: dict[str, Any] | None
    not_covered: list[dict[str, Any]]


class LogProofs:
    """Over the folder of `eventfold audit`, which somebody else extends; without one nothing is proven."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def of(self, events: Sequence[StoredEvent]) -> ProvenEvents:
        """Of a stream's events, oldest first.

        Raises NotProven where the folder is damaged, and NotInTree where the log is not the one that was signed.
        """
        return await asyncio.to_thread(self._of, events)

    def _of(self, events: Sequence[StoredEvent]) -> ProvenEvents:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._read(events)
            except NotProven:
                # Whoever extends the tree removes what a checkpoint before has needed; then there is a newer one.
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("an attempt returns or raises")

    def _read(self, events: Sequence[StoredEvent]) -> ProvenEvents:
        tiles = None if self._folder is None else Tiles(self._folder)
        note = None if tiles is None else tiles.checkpoint()
        if tiles is None or note is None or not events:
            return ProvenEvents(None, [event_as_stored(event) for event in events])
        key = read_key(str(tiles.folder / "verifier.key"))
        tree = Tree(tiles, open_checkpoint(note, key).size)
        covered = [event for event in events if tree.leaf_at(event.position) < tree.size]
        proof = proof_of(covered, tree, note, key) if covered else None
        return ProvenEvents(proof, [event_as_stored(event) for event in events[len(covered) :]])
