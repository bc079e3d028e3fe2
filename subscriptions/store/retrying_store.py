"""A read store whose operations are repeated while it is unavailable, so that no caller goes on without it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import structlog
from msgspec import Struct

from infrastructure.read_store import Page, ReadStoreRefused, ReadStoreUnavailable, StoredDocument, Where, Write
from infrastructure.resilience import backoff
from subscriptions import metrics
from subscriptions.errors import Stopping
from subscriptions.ports import DocumentStore

log = structlog.get_logger(__name__)

T = TypeVar("T")

Delays = Callable[[], Iterator[float]]
"""Makes the series of pauses, in seconds, between the attempts at one thing."""


class RetryingStore:
    """A read store whose every operation is repeated, with backoff and jitter, until it succeeds or `stop` is set.

    Each operation is idempotent, so a write of unknown outcome may be repeated. When the store responds with an
    error, it waits as in an outage and logs a warning: a full disk or a missing permission says nothing about an event.
    Raises Stopping, or UnsafeForReadStore, which no repetition can repair.
    """

    def __init__(self, store: DocumentStore, stop: asyncio.Event, name: str, delays: Delays = backoff) -> None:
        self._store = store
        self._delays = delays
        self._stop = stop
        self._name = name
        self.trouble: str | None = None

    async def stopping(self) -> None:
        """Waits until `stop` is set."""
        await self._stop.wait()

    async def prepare(self, collection: str, struct: type[Struct], indexes: Sequence[tuple[str, ...]]) -> None:
        await self._retrying(lambda: self._store.prepare(collection, struct, indexes))

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        return await self._retrying(lambda: self._store.load(collection, keys))

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[str]:
        return await self._retrying(lambda: self._store.write(collection, writes))

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]:
        return await self._retrying(lambda: self._store.page(collection, page))

    async def count(self, collection: str, where: Where) -> int:
        return await self._retrying(lambda: self._store.count(collection, where))

    async def replace_exactly(self, collection: str, write: Write, position: int) -> bool:
        return await self._retrying(lambda: self._store.replace_exactly(collection, write, position))

    async def delete(self, collection: str, key: str) -> None:
        await self._retrying(lambda: self._store.delete(collection, key))

    async def remove(self, collection: str, where: Where) -> None:
        await self._retrying(lambda: self._store.remove(collection, where))

    async def drop(self, collection: str) -> None:
        await self._retrying(lambda: self._store.drop(collection))

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        delays = self._delays()
        while True:
            try:
                result = await attempt()
            except (ReadStoreUnavailable, ReadStoreRefused) as error:
                self._note(error)
            else:
                self._recovered()
                return result
            await pause(self._stop, next(delays))

    def _note(self, error: Exception) -> None:
        metrics.READ_STORE_RETRIES.labels(self._name).inc()
        if self.trouble is None or isinstance(error, ReadStoreRefused):
            log.warning("the read store fails; waiting", consumer=self._name, error=str(error))
        self.trouble = f"{type(error).__name__}: {error}"

    def _recovered(self) -> None:
        if self.trouble is not None:
            log.info("the read store answers again", consumer=self._name)
            self.trouble = None


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleeps, but not longer than until `stop` is set. Raises Stopping."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
    raise Stopping
