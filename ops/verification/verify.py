"""Verifies a view slice by slice while the system goes on."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil, inf

from msgspec import Struct

from infrastructure.checkpoints import partition_of
from infrastructure.event_codec import EventCodec
from infrastructure.read_store import StoredDocument
from ops.verification.differences import Difference
from ops.verification.left_out import left_out
from ops.verification.live_build import LiveBuild, NotVerifiable, live_build
from ops.verification.patient_log import read_patiently
from ops.verification.ports import DocumentSource, EventSource
from ops.verification.refold import Refold, TooManyDocuments
from read_models.model.view import View

MOST_DOCUMENTS = 200_000
"""Documents of one slice, in memory twice: as they are stored, and as the log has them."""

CONFIRMATIONS = (0.2, 1.0, 3.0)
"""Seconds before each new look at what seems different: it may have been on its way from one place to another."""

_FULL = 0.9
_SCANS = 3
_EVENTS_PER_REPORT = 500

Report = Callable[[float, str], None]
"""How far it is, 0 to 1, and what it is doing."""


class Verified(Struct, frozen=True):
    """`equal` counts the documents that are as they must be; `slices` are the reads of the log that it took."""

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
        most: int = MOST_DOCUMENTS,
        slices: int | None = None,
        confirmations: Sequence[float] | None = None,
        report: Report = lambda _fraction, _what: None,
    ) -> None:
        self._view = view
        self._log = log
        self._store = store
        self._codec = codec
        self._fixed = slices
        self._most: float = most if slices is None else inf
        self._confirmations = CONFIRMATIONS if confirmations is None else confirmations
        self._report = report

    async def run(self) -> Verified:
        """Goes through all slices; one that turns out too large for memory is halved."""
        build = await live_build(self._store, self._view)
        documents = await self._store.count(build.collection, {})
        slices = self._fixed or max(1, ceil(documents / (self._most * _FULL)))
        waiting = deque((number, slices) for number in range(slices))
        equal, differences, done, share = 0, list[Difference](), 0, 0.0
        while waiting:
            number, of = waiting.popleft()
            try:
                fine, different = await self._slice(build, number, of, share)
            except TooManyDocuments:
                waiting.extendleft([(number, of * 2), (number + of, of * 2)])
                continue
            equal, done, share = equal + fine, done + 1, share + 1 / of
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
        held = await self._scan(build, belongs)
        differences = await self._fold(
            build, watermark, belongs, held, lambda fraction: report(fraction, f"{what}folding the log")
        )
        for pause in self._confirmations:
            if not differences:
                break
            report(1.0, f"{what}looking again at {len(differences):,} differences")
            await asyncio.sleep(pause)
            differences = await self._confirmed(build, {one.key for one in differences})
        await build.watermark()  # what was compared must still be what is served
        different = {one.key for one in differences}
        return sum(one.fields is not None and key not in different for key, one in held.items()), differences

    async def _confirmed(self, build: LiveBuild, keys: Collection[str]) -> list[Difference]:
        """What is still different of some documents (and streams), all of it read anew."""
        watermark = await build.watermark()
        held = await self._store.load(build.collection, list(keys))
        return await self._fold(build, watermark, keys.__contains__, held, lambda _: None)

    async def _fold(
        self,
        build: LiveBuild,
        watermark: int,
        belongs: Callable[[str], bool],
        held: Mapping[str, StoredDocument],
        report: Callable[[float], None],
    ) -> list[Difference]:
        """The order matters: watermark, documents, what is left out, log. Each is at least as new as the one before."""
        skipped = await left_out(self._store, self._view.name, build.collection)
        refold = Refold(self._view, self._codec, belongs, held, watermark, skipped, self._most)
        taken = 0
        async for stored in read_patiently(self._log, refold.until):
            refold.take(stored)
            taken += 1
            if taken % _EVENTS_PER_REPORT == 0:
                report(stored.position / max(1, refold.until))
                await asyncio.sleep(0)
        return list(refold.differences())

    async def _scan(self, build: LiveBuild, belongs: Callable[[str], bool]) -> dict[str, StoredDocument]:
        """The slice's documents. A scan that brings less than was there before it has been cut short: again, then."""
        for _ in range(_SCANS):
            there = await self._store.count(build.collection, {})
            seen, held = 0, dict[str, StoredDocument]()
            async for key, one in self._store.scan(build.collection):
                seen += 1
                if belongs(key):
                    held[key] = one
                    if len(held) > self._most:
                        raise TooManyDocuments
            if seen >= there:
                return held
        raise NotVerifiable(f"the read store told only {seen:,} of {there:,} documents, {_SCANS} times in a row")
