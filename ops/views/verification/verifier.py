"""Verifies views, all of them with one read of the log, while the system goes on."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil, inf

from msgspec import Struct

from infrastructure.checkpoints import partition_of
from infrastructure.event_codec import EventCodec
from infrastructure.read_store import ReadStoreUnavailable
from ops.views.verification.differences import Difference
from ops.views.verification.left_out import left_out
from ops.views.verification.live_build import LiveBuild, NotVerifiable, live_build
from ops.views.verification.one_read import read_log
from ops.views.verification.ports import DocumentSource, EventSource
from ops.views.verification.refold import ReadDocument, Refold
from ops.views.verification.retrying_store import RetryingDocuments
from read_models.model.view import View

MAX_DOCUMENTS = 1_000_000
"""Documents of one read of the log, of all views together; of each a fingerprint is in memory, about 300 bytes."""

MAX_UNFINISHED = 50_000
"""Documents that are in memory whole while they wait for their next events; others wait in a temporary file."""

MAX_DIFFERENT = 50_000
"""Documents that are looked at again with one read of the log: each is in memory as it is stored."""

CONFIRMATIONS = (0.2, 1.0, 3.0)
"""Seconds before each repeated check of what seems different: it may have been read while the projector changed it."""

_FULL = 0.9
_SCANS = 3

Report = Callable[[float, str], None]
"""Called with how far it is, 0 to 1, and what it is doing."""

Suspects = dict[LiveBuild, set[str]]
"""The keys (and streams) of each build that seem different."""


class TooManyDocuments(Exception):
    """More documents than may be in memory at once."""


class Verified(Struct, frozen=True):
    """`equal` counts the documents that are right; `slices` is how many reads of the log it took."""

    view: str
    collection: str
    equal: int
    differences: list[Difference]
    slices: int


class Verification(Struct, frozen=True):
    """The views that could be verified, in the order given, and why each of the others could not."""

    verified: list[Verified]
    failures: dict[str, str]


class Verifier:
    """Verifies the live builds of views, which may be there in several versions. Raises what the stores raise, and
    NoRoom.

    `max_documents`, `max_unfinished` and `max_different` bound memory, as the constants of these names say; `slices` is
    how many reads of the log there are, whatever the memory.
    """

    def __init__(
        self,
        views: Sequence[View],
        codec: EventCodec,
        log: EventSource,
        store: DocumentSource,
        *,
        max_documents: int = MAX_DOCUMENTS,
        max_unfinished: int | None = None,
        max_different: int = MAX_DIFFERENT,
        slices: int | None = None,
        confirmations: Sequence[float] | None = None,
        report: Report = lambda _fraction, _what: None,
    ) -> None:
        self._views = views
        self._codec = codec
        self._log = log
        self._store = RetryingDocuments(store)
        self._given_slices = slices
        self._max_documents: float = max_documents if slices is None else inf
        self._max_unfinished = MAX_UNFINISHED if max_unfinished is None else max_unfinished
        self._max_different = max_different
        self._confirmations = CONFIRMATIONS if confirmations is None else confirmations
        self._report = report
        self._equal: dict[LiveBuild, int] = {}
        self._differences: dict[LiveBuild, list[Difference]] = {}
        self._failures: dict[str, str] = {}

    async def run(self) -> Verification:
        """Verifies all views, slice by slice; a slice with too many documents for memory is halved."""
        await self._find_builds()
        remaining = deque(await self._slices())
        done, share = 0, 0.0
        while remaining and self._equal:
            number, of = remaining.popleft()
            try:
                await self._slice(number, of, share)
            except TooManyDocuments:
                remaining.extendleft([(number, of * 2), (number + of, of * 2)])
                continue
            done, share = done + 1, share + 1 / of
        verified = [
            Verified(build.view.name, build.collection, equal, self._differences[build], done)
            for build, equal in self._equal.items()
        ]
        return Verification(verified, self._failures)

    async def _find_builds(self) -> None:
        for name in dict.fromkeys(view.name for view in self._views):
            try:
                build = await live_build(self._store, [view for view in self._views if view.name == name])
                await build.require_its_log(self._log)
            except NotVerifiable as error:
                self._failures[name] = str(error)
            else:
                self._equal[build], self._differences[build] = 0, []

    def _failed(self, build: LiveBuild, error: NotVerifiable) -> None:
        """The others are verified without it."""
        self._failures[build.view.name] = str(error)
        del self._equal[build], self._differences[build]

    async def _slices(self) -> list[tuple[int, int]]:
        """The slices to begin with: the number of each, and of how many it is one."""
        documents = sum([await self._store.count(build.collection, {}) for build in self._equal])
        slices = self._given_slices or max(1, ceil(documents / (self._max_documents * _FULL)))
        return [(number, slices) for number in range(slices)]

    async def _slice(self, number: int, of: int, before: float) -> None:
        """Verifies the documents of one slice, of all views."""

        def belongs(key: str) -> bool:
            return partition_of(key, of) == number

        def report(fraction: float, what: str) -> None:
            self._report(before + fraction / of, what)

        what = "" if of == 1 else f"slice {number + 1} of {of}: "
        report(0.0, f"{what}reading the documents")
        refolds = await self._first_look(belongs)
        try:
            await read_log(
                self._log, self._codec, [*refolds.values()], lambda done: report(done, f"{what}folding the log")
            )
            suspects = {build: set(refold.differing()) for build, refold in refolds.items()}
        finally:
            for refold in refolds.values():
                refold.close()
        differences = await self._confirmed(suspects, lambda found: report(1.0, f"{what}looking again at {found}"))
        for build, refold in refolds.items():
            try:
                await build.watermark()  # raises when another build is served by now
            except NotVerifiable as error:
                self._failed(build, error)
                continue
            found = differences.get(build, [])
            different = {one.key for one in found}
            self._equal[build] += sum(
                one.fields is not None and key not in different for key, one in refold.documents.items()
            )
            self._differences[build] += found

    async def _first_look(self, belongs: Callable[[str], bool]) -> dict[LiveBuild, Refold]:
        """Each build's documents, of which fingerprints are kept, ready to be compared with the log."""
        refolds: dict[LiveBuild, Refold] = {}
        left = self._max_documents
        for build in list(self._equal):
            try:
                watermark = await build.watermark()
                documents = await self._scan(build, belongs, left)
            except NotVerifiable as error:
                self._failed(build, error)
                continue
            left -= len(documents)
            refolds[build] = await self._refold(build, belongs, documents, watermark)
        return refolds

    async def _refold(
        self, build: LiveBuild, belongs: Callable[[str], bool], documents: dict[str, ReadDocument], watermark: int
    ) -> Refold:
        """What is read, in this order: the watermark, the documents, what is left out, the log; so each is at least as
        new as the one before."""
        skipped = await left_out(self._store, build.view.name, build.collection)
        each = self._max_unfinished // len(self._equal)
        return Refold(build.view, belongs, documents, watermark, skipped, each)

    async def _scan(self, build: LiveBuild, belongs: Callable[[str], bool], most: float) -> dict[str, ReadDocument]:
        """The slice's documents. A scan that breaks off, or gives fewer documents than there were before it, is
        repeated."""
        broken: ReadStoreUnavailable | None = None
        seen = there = 0
        for _ in range(_SCANS):
            there = await self._store.count(build.collection, {})
            seen, documents = 0, dict[str, ReadDocument]()
            try:
                async for key, one in self._store.scan(build.collection):
                    seen += 1
                    if belongs(key):
                        documents[key] = ReadDocument.of(one)
                        if len(documents) > most:
                            raise TooManyDocuments
            except ReadStoreUnavailable as error:
                broken = error
                continue
            broken = None
            if seen >= there:
                return documents
        if broken is not None:
            raise broken
        raise NotVerifiable(f"the read store told only {seen:,} of {there:,} documents, {_SCANS} times in a row")

    async def _confirmed(
        self, suspects: Suspects, report: Callable[[str], None]
    ) -> Mapping[LiveBuild, list[Difference]]:
        """The differences that remain of what seems different when it is looked at again, and again."""
        differences: dict[LiveBuild, list[Difference]] = {}
        for pause in self._confirmations:
            number = sum(map(len, suspects.values()))
            if not number:
                break
            report(f"{number:,} differences")
            await asyncio.sleep(pause)
            differences = {build: [] for build in suspects}
            for some in _at_most(self._max_different, suspects):
                for build, found in (await self._look_again(some)).items():
                    differences[build] += found
            suspects = {build: {one.key for one in found} for build, found in differences.items()}
        return differences

    async def _look_again(self, suspects: Suspects) -> dict[LiveBuild, list[Difference]]:
        """The differences of some documents (and streams) when all of it is read anew."""
        refolds, documents = {}, {}
        for build, keys in suspects.items():
            try:
                watermark = await build.watermark()
            except NotVerifiable:
                continue  # told when the slice is done
            documents[build] = await self._store.load(build.collection, sorted(keys))
            read = {key: ReadDocument.of(one) for key, one in documents[build].items()}
            refolds[build] = await self._refold(build, keys.__contains__, read, watermark)
        try:
            await read_log(self._log, self._codec, [*refolds.values()], lambda _: None)
            return {build: list(refold.differences(documents[build])) for build, refold in refolds.items()}
        finally:
            for refold in refolds.values():
                refold.close()


def _at_most(number: int, suspects: Suspects) -> Iterator[Suspects]:
    """The suspects in portions of at most so many."""
    pairs = [(build, key) for build, keys in suspects.items() for key in sorted(keys)]
    for start in range(0, len(pairs), number):
        portion: Suspects = {}
        for build, key in pairs[start : start + number]:
            portion.setdefault(build, set()).add(key)
        yield portion
