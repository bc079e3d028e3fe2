"""Verifies a log, or one stream of it, against its chains, its tree and its checkpoints."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from infrastructure.event_store import StoredEvent, StreamDeleted
from infrastructure.evidence.checkpointing import Progress
from infrastructure.evidence.entries import Comparison, entry_of
from infrastructure.evidence.findings import Contradiction, Finding, Gone
from infrastructure.evidence.removals import LogReads
from infrastructure.evidence.stream_chains import StreamChains
from infrastructure.evidence.tree import Edge, Tree
from infrastructure.evidence.verifier import Checkpoint, Entry, leaf_hash

_TOLD_EVERY = 1024


class Anchor(NamedTuple):
    """A checkpoint that the log must agree with, and where it was found."""

    where: str
    checkpoint: Checkpoint


class Report(Struct, frozen=True):
    """What was looked at, and the first contradiction; None where all agrees.

    `covered` are the events that the checkpoints cover. `unlinked` are those without a link before the first one with
    a link in their stream. `gone` are events that the tree knows and that may be gone, by stream.
    """

    finding: Finding | None
    events: int
    streams: int
    linked: int
    unlinked: int
    covered: int
    checkpoints: Sequence[str]
    gone: Mapping[str, Gone]


async def verify(
    store: LogReads,
    tree: Tree | None,
    anchors: Sequence[Anchor],
    *,
    stream: str | None = None,
    unlinked_until: int = -1,
    progress: Progress = lambda _events: None,
) -> Report:
    """Goes once over the tree and once over the log, or a stream, up to the first contradiction.

    `tree` may be the tree of any of the anchors, or None; without one, an event that was changed after a checkpoint
    can't be named, only that there is one. Events without a link are taken up to the position `unlinked_until`.

    Raises NotProven when the tree's files are damaged, and EventStoreUnavailable.
    """
    trusted, wrong = _trusted(tree, anchors)
    run = _Run(store, trusted, () if stream else anchors, stream, unlinked_until)
    finding = await run.all(progress)
    if wrong is not None:
        finding = _of_wrong_tree(wrong, finding)
    return Report(
        finding,
        run.events,
        run.chains.streams,
        run.chains.linked,
        run.chains.unlinked,
        max((anchor.checkpoint.size for anchor in anchors), default=0),
        [anchor.where for anchor in anchors],
        run.comparison.gone,
    )


def _trusted(tree: Tree | None, anchors: Sequence[Anchor]) -> tuple[Tree | None, Anchor | None]:
    """The tree if it is that of the checkpoints, as far as it goes; else the first checkpoint that it is not of."""
    if tree is None:
        return None, None
    roots = _Roots(anchors, Edge())
    for entry in tree.entries():
        roots.add(entry)
    return (None, roots.wrong) if roots.wrong is not None else (tree, None)


def _of_wrong_tree(anchor: Anchor, finding: Finding | None) -> Finding:
    name = f"{anchor.where} ({anchor.checkpoint.size} events)"
    if finding is None:
        return Finding("tree", f"the log agrees with the checkpoint {name}, the tree does not: make the tree anew")
    if finding.kind != "rewritten":
        return finding
    return Finding("rewritten", f"neither the log nor the tree is what was signed with the checkpoint {name}")


class _Roots:
    """Follows a growing tree, and compares its root with each checkpoint's where the tree has that size."""

    def __init__(self, anchors: Sequence[Anchor], edge: Edge) -> None:
        self.edge = edge
        self.wrong: Anchor | None = None
        self._anchors = sorted(anchors, key=lambda anchor: anchor.checkpoint.size)
        self._anchors = [anchor for anchor in self._anchors if anchor.checkpoint.size > edge.size]

    @property
    def open(self) -> Sequence[Anchor]:
        """The checkpoints of more events than there were."""
        return self._anchors

    def add(self, entry: Entry) -> None:
        """The next leaf."""
        if not self._anchors:
            return
        for _full_tile in self.edge.add(leaf_hash(entry.encode())):
            pass
        while self._anchors and self._anchors[0].checkpoint.size == self.edge.size:
            anchor = self._anchors.pop(0)
            if anchor.checkpoint.root != self.edge.root() and self.wrong is None:
                self.wrong = anchor


class _Run:
    def __init__(
        self, store: LogReads, tree: Tree | None, anchors: Sequence[Anchor], stream: str | None, unlinked_until: int
    ) -> None:
        def every() -> Iterator[Entry]:
            return iter(()) if tree is None else tree.entries()

        of_stream = (entry for entry in every() if stream in (None, entry.stream))
        self.events = 0
        self.chains = StreamChains(store, unlinked_until)
        self.comparison = Comparison(store, of_stream, every)
        self._store = store
        self._stream = stream
        self._roots = _Roots(anchors, Edge() if tree is None else tree.edge())
        self._has_tree = tree is not None
        self._last_of_tree = tree.entry(tree.size - 1).position if tree is not None and tree.size else -1

    async def all(self, progress: Progress) -> Finding | None:
        """The first contradiction, in the log's order."""
        try:
            async for event in self._log():
                await self._take(event)
                if self.events % _TOLD_EVERY == 0:
                    progress(self.events)
            await self.comparison.finish()
        except Contradiction as contradiction:
            return contradiction.finding
        return self._too_short()

    async def _take(self, event: StoredEvent) -> None:
        self.events += 1
        if not await self.comparison.take(event):
            if event.position <= self._last_of_tree:
                raise Contradiction(_one_too_many(event))
            if self._roots.open:
                self._roots.add(entry_of(event))
                if self._roots.wrong is not None:
                    raise Contradiction(self._rewritten(self._roots.wrong))
        await self.chains.take(event)

    def _rewritten(self, anchor: Anchor) -> Finding:
        size = anchor.checkpoint.size
        hint = "since the end of the tree at hand" if self._has_tree else "the tree of the checkpoint would tell which"
        return Finding(
            "rewritten", f"the first {size} events are not those signed with the checkpoint {anchor.where}: {hint}"
        )

    def _too_short(self) -> Finding | None:
        if not self._roots.open:
            return None
        anchor = self._roots.open[-1]
        size = anchor.checkpoint.size
        return Finding(
            "removed",
            f"the log has {self._roots.edge.size} events, the checkpoint {anchor.where} was signed with {size}",
        )

    async def _log(self) -> AsyncIterator[StoredEvent]:
        if self._stream is None:
            async for event in self._store.read_all():
                yield event
            return
        try:
            read = await self._store.read_slice(self._stream)
        except StreamDeleted:
            return
        for event in read.events:
            yield event


def _one_too_many(event: StoredEvent) -> Finding:
    detail = "it was not there when the tree was made"
    return Finding("inserted", detail, event.stream, event.revision, event.position)
