"""What verifying needs of the two stores, and no more: it only reads."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from infrastructure.event_store import StoredEvent
from infrastructure.read_store import Document, Held


class EventSource(Protocol):
    """The event store's `$all`; see infrastructure.event_store.EventStore."""

    def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]: ...


class DocumentSource(Protocol):
    """The read store; see infrastructure.read_store.ReadStore."""

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, Held]: ...

    def scan(self, collection: str) -> AsyncIterator[tuple[str, Held]]: ...

    async def count(self, collection: str, where: Mapping[str, Any]) -> int: ...

    async def page(
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        by: str,
        direction: Literal["ascending", "descending"],
        limit: int,
    ) -> list[Document]: ...
