"""Verifies a view slice by slice while the system goes on."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil, inf

from msgspec import Struct

from infrastructure.checkpoints import partition_of
from infrastructure.event_codec import EventCodec
from infrastructure.read_store import StoredDocument
from ops.views.verification.differences import Difference
from ops.views.verification.left_out import left_out
from ops.views.verification.live_build import LiveBuild, NotVerifiable, live_build
from ops.views.verification.ports import DocumentSource, EventSource
from ops.views.verification.refold import Refold, TooManyDocuments
from ops.views.verification.retrying_log import read_with_retries
from read_models.model.view import View

MAX_DOCUMENTS = 200_000
"""Documents of one slice; each is in memory twice, as it is stored and as the fold of the log gives it."""

CONFIRMATIONS = (0.2, 1.0, 3.0)
"""Seconds before each repeated check of what seems different: it may have been read while the projector changed it."""

_FULL = 0.9
_SCANS = 3
_EVENTS_PER_REPORT = 500

Report = Callable[[float, str], None]
"""Called with how far it is, 0 to 1, and what it is doing."""


class Verified(Struct, frozen=True):
    """`equal` counts the documents that are right; `slices` is how many reads of the log it took."""

    view: str
    collection: str
    equal: int
    differences: list[Difference]
    slices: int


class Verifier:
    """Verifies one view's live build. Raises NotVerifiable, and whatever the stores raise."""

    def __init__(
        self,
        view: View,
        codec: EventCodec,
        log: EventSource,
        store: DocumentSource,
        *,
        max_documents: int = MAX_DOCUMENTS,
        slices: int | None = None,
        confirmations: Sequence[float] | None = None,
        report: Report = lambda _fraction, _what: None,
    ) -> None:
        self._view = view
        self._log = log
        self._store = store
        self._codec = codec
        self._given_slices = slices
        self._max_documents: float = max_documents if slices is None else inf
        self._confirmations = CONFIRMATIONS if confirmations is None else confirmations
        self._report = report

    async def run(self) -> Verified:
        """Verifies all slices; one with too many documents for memory is halved."""
        build = await live_build(self._store, self._view)
        documents = await self._store.count(build.collection, {})
        slices = self._given_slices or max(1, ceil(documents / (self._max_documents * _FULL)))
        remaining = deque((number, slices) for number in range(slices))
        equal, differences, done, share = 0, list[Difference](), 0, 0.0
        while remaining:
            number, of = remaining.popleft()
            try:
                equal_here, different = await self._slice(build, number, of, share)
            except TooManyDocuments:
                remaining.extendleft([(number, of * 2), (number + of, of * 2)])
                continue
            equal, done, share = equal + equal_here, done + 1, share + 1 / of
            differences += different
        return Verified(self._view.name, build.collection, equal, differences, done)

    async def _slice(self, build: LiveBuild, number: int, of: int, before: float) -> tuple[int, list[Difference]]:
        """How many of the slice's documents are equal, and the differences of the others."""

        def belongs(key: str) -> bool:
            return partition_of(key, of) == number

        def report(fraction: float, what: str) -> None:
            self._report(before + fraction / of, what)

        what = "" if of == 1 else f"slice {number + 1} of {of}: "
        report(0.0, f"{what}reading the documents")
        watermark = await build.watermark()
        documents = await self._scan(build, belongs)
        differences = await self._fold(
            build, watermark, belongs, documents, lambda fraction: report(fraction, f"{what}folding the log")
        )
        for pause in self._confirmations:
            if not differences:
                break
            report(1.0, f"{what}looking again at {len(differences):,} differences")
            await asyncio.sleep(pause)
            differences = await self._checked_again(build, {one.key for one in differences})
        await build.watermark()  # raises when another build is served by now
        different = {one.key for one in differences}
        return sum(one.fields is not None and key not in different for key, one in documents.items()), differences

    async def _checked_again(self, build: LiveBuild, keys: Collection[str]) -> list[Difference]:
        """The differences that remain of some documents (and streams) when all of it is read anew."""
        watermark = await build.watermark()
        documents = await self._store.load(build.collection, list(keys))
        return await self._fold(build, watermark, keys.__contains__, documents, lambda _: None)

    async def _fold(
        self,
        build: LiveBuild,
        watermark: int,
        belongs: Callable[[str], bool],
        documents: Mapping[str, StoredDocument],
        report: Callable[[float], None],
    ) -> list[Difference]:
        """The differences between the documents and the log. What is read, in this order: the watermark, the documents,
        what is left out, the log; so each is at least as new as the one before."""
        skipped = await left_out(self._store, self._view.name, build.collection)
        refold = Refold(self._view, self._codec, belongs, documents, watermark, skipped, self._max_documents)
        taken = 0
        async for stored in read_with_retries(self._log, refold.until):
            refold.take(stored)
            taken += 1
            if taken % _EVENTS_PER_REPORT == 0:
                report(stored.position / max(1, refold.until))
                await asyncio.sleep(0)
        return list(refold.differences())

    async def _scan(self, build: LiveBuild, belongs: Callable[[str], bool]) -> dict[str, StoredDocument]:
        """The slice's documents. A scan that gives fewer documents than there were before it is repeated."""
        for _ in range(_SCANS):
            there = await self._store.count(build.collection, {})
            seen, documents = 0, dict[str, StoredDocument]()
            async for key, one in self._store.scan(build.collection):
                seen += 1
                if belongs(key):
                    documents[key] = one
                    if len(documents) > self._max_documents:
                        raise TooManyDocuments
            if seen >= there:
                return documents
        raise NotVerifiable(f"the read store told only {seen:,} of {there:,} documents, {_SCANS} times in a row")
