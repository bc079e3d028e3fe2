"""Extends the tree by what the log has got since the last checkpoint, and signs the new one."""

from collections.abc import Callable

from infrastructure.evidence.entries import Comparison, entry_of
from infrastructure.evidence.removals import LogReads
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import WIDTH, Tiles
from infrastructure.evidence.tree import Edge, TreeWriter
from infrastructure.evidence.verifier import Checkpoint, NotProven, VerifierKey, open_checkpoint

Progress = Callable[[int], None]
"""progress(events): so many have been read."""

_TOLD_EVERY = 1024


def newest_checkpoint(tiles: Tiles, key: VerifierKey) -> Checkpoint:
    """That of the folder; one of no events where there is none yet. Raises NotProven."""
    note = tiles.checkpoint()
    return Checkpoint(key.name, 0, Edge().root()) if note is None else open_checkpoint(note, key)


async def extend(
    store: LogReads, tiles: Tiles, signer: Signer, progress: Progress = lambda _events: None
) -> tuple[Checkpoint, Checkpoint]:
    """The checkpoint before and the new one; the same where the log has nothing new.

    Before anything is signed the last events of the tree are looked for in the log. It goes on from the last
    checkpoint, whatever was written beyond it: a crash at any moment leaves that one and a tree for it.

    Raises FolderBusy; NotProven when the folder's checkpoint is not signed with this key, or the tree is not that of
    the checkpoint; Contradiction when the log is not the one of the checkpoint; EventStoreUnavailable.
    """
    with tiles.alone():
        before = newest_checkpoint(tiles, signer.verifier)
        writer = TreeWriter(tiles, before.size)
        if writer.edge.root() != before.root:
            raise NotProven(f"the tree in {tiles.folder} is not that of its checkpoint")
        await _add_new(store, writer, progress)
        after = Checkpoint(before.origin, writer.edge.size, writer.edge.root())
        if after.size > before.size or tiles.checkpoint() is None:
            writer.flush()
            tiles.write_checkpoint(signer.sign(after))
            writer.clean_up()
        return before, after


async def _add_new(store: LogReads, writer: TreeWriter, progress: Progress) -> None:
    tree = writer.before
    first = max(0, tree.size - 1) // WIDTH * WIDTH
    after = tree.entry(first - 1).position if first else None
    comparison = Comparison(store, tree.entries(first), tree.entries)
    count = 0
    async for event in store.read_all(after):
        if not await comparison.take(event):
            writer.add(entry_of(event))
        count += 1
        if count % _TOLD_EVERY == 0:
            progress(count)
    await comparison.finish()
