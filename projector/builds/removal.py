"""Removes builds and partition epochs that no record names any more, once no process can still use them."""

from time import monotonic

import structlog

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.read_store import Comparison, Scalar
from infrastructure.view_registry import Build, ViewRecord, ViewRegistry, transitions
from projector.folding.undo import COLLECTION as UNDO
from subscriptions.membership.leases import LEASES
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.ports import DocumentStore

log = structlog.get_logger(__name__)


class BuildRemoval:
    """`quiet` is in seconds: how long other processes may still read or write what a record no longer names. Every
    method raises what the store raises."""

    def __init__(self, store: DocumentStore, registry: ViewRegistry, *, quiet: float) -> None:
        self._store = store
        self._registry = registry
        self._quiet = quiet
        self._retired_since: dict[str, float] = {}
        self._removed: dict[str, int] = {}
        self._epochs: dict[tuple[str, int], tuple[float, bool]] = {}

    async def remove_due(self, record: ViewRecord) -> None:
        """Removes what is due of the view's retired builds and earlier partition epochs."""
        for build in record.retired:
            await self._remove(record, build)
        if record.partition_epoch > 1:
            await self._sweep(record)

    async def _remove(self, record: ViewRecord, build: Build) -> None:
        """Removes everything of a build, once all processes have had time to stop using it. It does so twice, because a
        late writer would bring a part of it back."""
        since = self._retired_since.setdefault(build.collection, monotonic())
        times = self._removed.get(build.collection, 0)
        if monotonic() - since < self._quiet * (times + 1):
            return
        await self._store.drop(build.collection)
        for collection in (CHECKPOINTS, PARKED_EVENTS, LEASES, UNDO):
            await self._store.remove(collection, {"target": build.collection})
        self._removed[build.collection] = times + 1
        if times:
            await self._registry.save(transitions.forgotten(record, build))
            del self._retired_since[build.collection], self._removed[build.collection]
            log.info("build removed", view=record.view, target=build.collection)

    async def _sweep(self, record: ViewRecord) -> None:
        """Removes what is left of earlier epochs, once for each new one, when all processes have had time to stop using
        them."""
        since, swept = self._epochs.setdefault((record.view, record.partition_epoch), (monotonic(), False))
        if swept or monotonic() - since < self._quiet:
            return
        for build in record.builds:
            where: dict[str, Scalar | Comparison] = {
                "target": build.collection,
                "partition_epoch": Comparison(below=record.partition_epoch),
            }
            for collection in (CHECKPOINTS, LEASES):
                await self._store.remove(collection, where)
        self._epochs[record.view, record.partition_epoch] = (since, True)
