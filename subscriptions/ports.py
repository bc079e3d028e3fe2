"""What is needed of the event store and of the read store, and no more."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from infrastructure.event_store import Batch, StoredEvent
from infrastructure.read_store import Page, StoredDocument, Where, Write


class Batches(Protocol):
    """A subscription that is open; see infrastructure.event_store.Subscription."""

    async def next_batch(self) -> Batch: ...


class EventLog(Protocol):
    """The event store's `$all`; see infrastructure.event_store.EventStore."""

    def subscribe(self, after: int | None, *, buffer: int) -> AbstractAsyncContextManager[Batches]: ...

    def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]: ...

    async def last_position(self) -> int | None: ...

    async def read_stream(self, stream: str, from_revision: int = ..., limit: int = ...) -> list[StoredEvent]: ...


class DocumentStore(Protocol):
    """The read store; see infrastructure.read_store.ReadStore."""

    async def prepare(self, collection: str, struct: type[Struct], indexes: Sequence[tuple[str, ...]]) -> None: ...

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]: ...

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[str]: ...

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]: ...

    async def count(self, collection: str, where: Where) -> int: ...

    async def replace_exactly(self, collection: str, write: Write, position: int) -> bool: ...

    async def delete(self, collection: str, key: str) -> None: ...

    async def remove(self, collection: str, where: Where) -> None: ...

    async def drop(self, collection: str) -> None: ...
