"""The build of a view that queries are answered from, and the reads of it that all requests share."""

from collections.abc import Callable, Mapping
from typing import Any

from infrastructure.checkpoints import Target, low_watermark
from infrastructure.read_store import Page, ReadStoreUnavailable, StoredDocument
from infrastructure.view_registry import ViewRecord
from query_api.reading.bounded_reads import BoundedReads
from query_api.reading.coalesced_reads import CoalescedReads

USABLE_FOR = 5.0
"""For so many seconds after a switch nothing is written to the build before it, so that whoever still reads that one
sees nothing that the new build has yet to reach."""


class LiveBuild:
    """One for as long as a build is live; a request that began with it goes on with it, switch or no switch.

    `clock` is in seconds and never goes back. Reads raise ReadStoreUnavailable when the store can't be reached, or so
    late that the build may have been written to again after another one took its place.
    """

    def __init__(self, reads: BoundedReads, record: ViewRecord, known_at: float, clock: Callable[[], float]) -> None:
        self._reads = reads
        self._by_key = CoalescedReads(reads, record.live.collection)
        self._clock = clock
        self._furthest = -1
        self.confirm(record, known_at)

    def is_live_in(self, record: ViewRecord) -> bool:
        """Whether the record names this build as the live one."""
        # The time too: a database that was emptied begins again with the same names.
        live = record.live
        return (live.collection, live.created_at) == (self.build.collection, self.build.created_at)

    def confirm(self, record: ViewRecord, known_at: float) -> None:
        """`record`, whose read began at `known_at`, names this build as the live one."""
        self.build = record.live
        self._target = record.target(record.live)
        self._usable_until = known_at + USABLE_FOR

    async def document(self, key: str) -> StoredDocument | None:
        """The document as it is now; None when there is none, or none any more. It must be left as it is."""
        stored = await self._by_key.get(key)
        self._check_usable()
        return None if stored is None or stored.fields is None else stored

    async def rows(self, page: Page) -> list[dict[str, Any]]:
        """The fields of a page's documents."""
        found = await self._reads.rows(self.build.collection, page)
        self._check_usable()
        return found

    @property
    def target(self) -> Target:
        """What brings the build up to date."""
        return self._target

    @property
    def checkpoint_keys(self) -> list[str]:
        """The keys of the checkpoints of all its partitions."""
        return self._target.keys

    def position(self, checkpoints: Mapping[str, StoredDocument]) -> int | None:
        """Up to where every partition has folded the log, by its checkpoints; None before the first ones.

        It never falls: what has once been folded stays so, while the checkpoints of a new division begin lower.
        """
        lowest = low_watermark(self._target, checkpoints)
        if lowest is not None and lowest > self._furthest:
            self._furthest = lowest
        return None if self._furthest < 0 else self._furthest

    def _check_usable(self) -> None:
        if self._clock() > self._usable_until:
            raise ReadStoreUnavailable(f"a read took so long that {self.build.collection} may no longer be served")
