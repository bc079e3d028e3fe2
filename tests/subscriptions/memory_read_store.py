"""A read store in memory that keeps the guard of the real one, and fails, stalls and interleaves on demand."""

import asyncio
import operator
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import bson

from infrastructure.read_store import (
    Comparison,
    Page,
    ReadStoreUnavailable,
    StoredDocument,
    UnsafeForReadStore,
    Where,
    Write,
)
from infrastructure.read_store.documents import read_back, stored
from infrastructure.read_store.store import CODEC_OPTIONS
from infrastructure.read_store.subset import check_collection, check_document_type, check_index, mongo_filter

Hook = Callable[[str, str], Awaitable[None]]


async def _nothing(_operation: str, _collection: str) -> None: ...


class MemoryReadStore:
    """Answers as infrastructure.read_store.ReadStore does.

    `before` and `after` are awaited round every operation with its name and collection: what they raise is what the
    caller gets, before or after the operation took effect. `switches` lets other tasks run inside every operation.
    """

    def __init__(self, *, switches: random.Random | None = None) -> None:
        self.collections: dict[str, dict[str, bytes]] = {}
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self.operations: list[tuple[str, str, int]] = []
        self._switches = switches

    def documents(self, collection: str) -> dict[str, dict[str, Any]]:
        """Every document of a collection by its key."""
        return {key: bson.decode(kept, CODEC_OPTIONS) for key, kept in self.collections.get(collection, {}).items()}

    async def prepare(self, collection: str, struct: Any, indexes: Sequence[tuple[str, ...]]) -> None:
        check_collection(collection)
        check_document_type(struct)
        for fields in indexes:
            check_index(fields, struct)
        await self._operation("prepare", collection, lambda: None)

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        def read() -> dict[str, StoredDocument]:
            documents = self.documents(collection)
            return {key: read_back(documents[key])[1] for key in keys if key in documents}

        return await self._operation("load", collection, read, len(keys))

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[str]:
        encoded = [_encode(write) for write in writes]  # as the driver does, before anything is sent

        def apply() -> frozenset[str]:
            pairs = zip(writes, encoded, strict=True)
            return frozenset(write.key for write, document in pairs if not self._apply(collection, write, document))

        return await self._operation("write", collection, apply, len(writes))

    def _apply(self, collection: str, write: Write, document: bytes) -> bool:
        kept = self.collections.setdefault(collection, {})
        there = kept.get(write.key)
        if there is not None and (write.new or bson.decode(there)["_position"] >= write.position):
            return False
        kept[write.key] = document
        return True

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]:
        def read() -> list[tuple[str, StoredDocument]]:
            found = [document for document in self.documents(collection).values() if _meets(document, page.where)]
            ordered = sorted(found, key=lambda one: one[page.by], reverse=page.direction == "descending")
            return [read_back(document) for document in ordered[: page.limit]]

        mongo_filter(page.where)
        return await self._operation("page", collection, read)

    async def count(self, collection: str, where: Where) -> int:
        mongo_filter(where)
        matching = lambda: sum(_meets(one, where) for one in self.documents(collection).values())  # noqa: E731
        return await self._operation("count", collection, matching)

    async def scan(self, collection: str) -> AsyncIterator[tuple[str, StoredDocument]]:
        """The documents one by one, each as it is by then."""
        for key in list(self.collections.get(collection, {})):
            await self._operation("scan", collection, lambda: None)
            yield read_back(bson.decode(self.collections[collection][key], CODEC_OPTIONS))

    def put(self, collection: str, document: dict[str, Any]) -> None:
        """Writes a document as it is, whatever is there."""
        self.collections.setdefault(collection, {})[document["_id"]] = bson.encode(document)

    async def replace_exactly(self, collection: str, write: Write, position: int) -> bool:
        document = _encode(write)

        def apply() -> bool:
            kept = self.collections.get(collection, {})
            if write.key not in kept or bson.decode(kept[write.key])["_position"] != position:
                return False
            kept[write.key] = document
            return True

        return bool(await self._operation("replace_exactly", collection, apply))

    async def delete(self, collection: str, key: str) -> None:
        await self._operation("delete", collection, lambda: self.collections.get(collection, {}).pop(key, None))

    async def remove(self, collection: str, where: Where) -> None:
        def apply() -> None:
            kept = self.collections.get(collection, {})
            for key in [key for key, one in self.documents(collection).items() if _meets(one, where)]:
                del kept[key]

        mongo_filter(where)
        await self._operation("remove", collection, apply)

    async def drop(self, collection: str) -> None:
        check_collection(collection)
        await self._operation("drop", collection, lambda: self.collections.pop(collection, None))

    async def _operation(self, name: str, collection: str, effect: Callable[[], Any], size: int = 1) -> Any:
        self.operations.append((name, collection, size))
        await self._switch()
        await self.before(name, collection)
        answer = effect()
        await self._switch()
        await self.after(name, collection)
        return answer

    async def _switch(self) -> None:
        for _ in range(self._switches.randrange(4) if self._switches else 0):
            await asyncio.sleep(0)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "above": operator.gt,
    "at_least": operator.ge,
    "below": operator.lt,
    "at_most": operator.le,
    "one_of": lambda value, among: value in among,
}


def outage(*, operations: int) -> Hook:
    """A `before` or `after` that fails so many operations as an unreachable store does."""
    left = operations

    async def fail(operation: str, collection: str) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            raise ReadStoreUnavailable(f"away at {operation} of {collection}")

    return fail


def _encode(write: Write) -> bytes:
    try:
        return bson.encode(stored(write))
    except (bson.errors.InvalidDocument, OverflowError) as error:
        raise UnsafeForReadStore(str(error)) from error


def _meets(document: Mapping[str, Any], where: Where) -> bool:
    for field, wanted in where.items():
        if isinstance(wanted, Comparison):
            bounds = {name: bound for name in _COMPARISONS if (bound := getattr(wanted, name)) is not None}
            # As in MongoDB: what lacks the field, such as a tombstone, meets no bound.
            if field not in document or not all(
                _COMPARISONS[name](document[field], bound) for name, bound in bounds.items()
            ):
                return False
        elif document.get(field) != wanted:
            return False
    return True
