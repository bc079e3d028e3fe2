"""Reads the read store, and repeats a read that failed because it was away for a moment."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from infrastructure.read_store import Page, ReadStoreUnavailable, StoredDocument, Where
from infrastructure.resilience import retrying
from ops.views.verification.ports import DocumentSource

T = TypeVar("T")

RETRY_TIMEOUT = 30.0
"""Seconds for which a read is repeated; whoever has folded the whole log should not have to begin again."""


class RetryingDocuments:
    """A read store that has answered once may be away for RETRY_TIMEOUT; one that never has is told at once.

    A scan can't go on where it broke off, so it is not repeated here.
    """

    def __init__(self, store: DocumentSource) -> None:
        self._store = store
        self._has_answered = False

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        return await self._retrying(lambda: self._store.load(collection, keys))

    def scan(self, collection: str) -> AsyncIterator[tuple[str, StoredDocument]]:
        return self._store.scan(collection)

    async def count(self, collection: str, where: Where) -> int:
        return await self._retrying(lambda: self._store.count(collection, where))

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]:
        return await self._retrying(lambda: self._store.page(collection, page))

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            result = await attempt()
        except ReadStoreUnavailable:
            if not self._has_answered:
                raise
            result = await retrying(attempt, on=ReadStoreUnavailable, seconds=RETRY_TIMEOUT)
        self._has_answered = True
        return result
