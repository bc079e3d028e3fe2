"""How many documents each view has, for Prometheus."""

from collections.abc import Collection
from math import nan
from typing import Protocol

from projector import metrics
from subscriptions.operating.catalogue import Catalogue

COUNTED_EVERY = 12
"""How many looks at the lags there are to one count of documents, which changes slowly, and costs a store without
statistics a walk over an index."""


class CountedStore(Protocol):
    """See infrastructure.read_store.ReadStore."""

    async def estimated_count(self, collection: str) -> int: ...


class DocumentCounts:
    """Of the views of the names given."""

    def __init__(self, views: Collection[str], catalogue: Catalogue, store: CountedStore) -> None:
        self._views = views
        self._catalogue = catalogue
        self._store = store
        for view in views:
            metrics.show_view(view)
            metrics.STORED.labels(view).set(nan)

    async def look(self) -> None:
        """Asks for the number of documents in each live build. Raises what the read store raises."""
        for view, targets in (await self._catalogue.load(self._views)).items():
            metrics.STORED.labels(view).set(await self._store.estimated_count(targets.served.name))
