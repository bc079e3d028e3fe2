"""Reads of the read store that answer within a bound, whatever the store does."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from infrastructure.read_store import Page, ReadStore, ReadStoreUnavailable, StoredDocument
from infrastructure.view_registry import ViewRecord, ViewRegistry


class BoundedReads:
    """The reads of a ReadStore, each given up after `timeout` seconds.

    The driver bounds its search for a server, but not the time that an operation queues for one of its threads; when a
    store hangs, that is where requests would pile up. Every method raises ReadStoreUnavailable when time is up.
    """

    def __init__(self, store: ReadStore, timeout: float) -> None:
        self._store = store
        self._registry = ViewRegistry(store)
        self._timeout = timeout

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        """The documents (and tombstones) of those keys that exist."""
        with self._unavailable_when_late():
            async with asyncio.timeout(self._timeout):
                return await self._store.load(collection, keys)

    async def records(self, views: Sequence[str]) -> Mapping[str, ViewRecord]:
        """The records of those views that have one."""
        with self._unavailable_when_late():
            async with asyncio.timeout(self._timeout):
                return await self._registry.load(views)

    async def rows(self, collection: str, page: Page) -> list[dict[str, Any]]:
        """The fields of a page's documents."""
        with self._unavailable_when_late():
            async with asyncio.timeout(self._timeout):
                documents = await self._store.page(collection, page)
        return [document.fields for _, document in documents if document.fields is not None]

    @contextmanager
    def _unavailable_when_late(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise ReadStoreUnavailable(f"no answer within {self._timeout:g} s") from None
