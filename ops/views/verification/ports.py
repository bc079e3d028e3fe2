"""What verifying needs of the two stores, and no more: it only reads."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from infrastructure.checkpoints.log_check import LogReads
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Page, StoredDocument, Where


class EventSource(LogReads, Protocol):
    """The event store; see infrastructure.event_store.EventStore."""

    def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]: ...


class DocumentSource(Protocol):
    """The read store; see infrastructure.read_store.ReadStore."""

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]: ...

    def scan(self, collection: str) -> AsyncIterator[tuple[str, StoredDocument]]: ...

    async def count(self, collection: str, where: Where) -> int: ...

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]: ...
