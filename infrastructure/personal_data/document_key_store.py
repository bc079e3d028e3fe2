"""The key store of many machines: a collection in a MongoDB database of its own, by the read store's adapter.

A document's guard (`_position`) counts how often the key was wrapped; a tombstone has the highest there is, so that
nothing can be written over it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from infrastructure.personal_data.key_store import KeyId, KeyRecord, KeyStoreUnavailable, tombstone
from infrastructure.read_store import Page, ReadStore, ReadStoreRefused, ReadStoreUnavailable, StoredDocument, Write

COLLECTION = "personal_keys"
_DESTROYED = 2**53
_GENERATIONS_AT_ONCE = 100

T = TypeVar("T")


class KeyDocument(Struct, frozen=True):
    """`master` and `wrapped` are empty once the key is destroyed."""

    subject: str
    generation: int
    master: str
    wrapped: str


class DocumentKeyStore:
    """Over a database, which it closes with itself. It must be `journaled`, see ReadStore."""

    def __init__(self, store: ReadStore) -> None:
        self._store = store
        self._is_prepared = False

    async def load(self, keys: Collection[KeyId]) -> Mapping[KeyId, KeyRecord]:
        """See KeyStore."""
        found = await self._ask(lambda: self._store.load(COLLECTION, [_name(key) for key in keys]))
        records = (_record(document) for document in found.values())
        return {record.id: record for record in records}

    async def newest(self, subject: str) -> KeyRecord | None:
        """See KeyStore."""
        page = Page({"subject": subject}, "generation", 1, "descending")
        found = await self._ask(lambda: self._store.page(COLLECTION, page))
        return _record(found[0][1]) if found else None

    async def create(self, record: KeyRecord) -> KeyRecord:
        """See KeyStore."""
        await self._ask(lambda: self._store.write(COLLECTION, [_write(record, 1, new=True)]))
        found = await self.load([record.id])
        if record.id not in found:
            raise KeyStoreUnavailable(f"a key that was written for {record.id.subject} does not read back")
        return found[record.id]

    async def destroy(self, subject: str, generation: int) -> None:
        """See KeyStore."""
        # Of each generation, whether it is there or not: one that is being written now must be refused.
        for start in range(1, generation + 1, _GENERATIONS_AT_ONCE):
            end = min(start + _GENERATIONS_AT_ONCE, generation + 1)
            gone = [tombstone(KeyId(subject, one)) for one in range(start, end)]
            writes = [_write(one, _DESTROYED) for one in gone]
            await self._ask(lambda writes=writes: self._store.write(COLLECTION, writes))  # type: ignore[misc]

    async def replace(self, old: KeyRecord, new: KeyRecord) -> bool:
        """See KeyStore."""
        found = await self._ask(lambda: self._store.load(COLLECTION, [_name(old.id)]))
        document = found.get(_name(old.id))
        if document is None or _record(document) != old or old.is_destroyed:
            return False
        write = _write(new, document.position + 1)
        return await self._ask(lambda: self._store.replace_exactly(COLLECTION, write, document.position))

    async def foreign(self, masters: Collection[str]) -> int:
        """See KeyStore."""
        known = 0
        for master in (*masters, ""):
            known += await self._ask(
                lambda master=master: self._store.count(COLLECTION, {"master": master})  # type: ignore[misc]
            )
        return max(0, await self._ask(lambda: self._store.count(COLLECTION, {})) - known)

    async def scan(self) -> AsyncIterator[KeyRecord]:
        """See KeyStore. Raises KeyStoreUnavailable, too, when the store ends it early, as a restart may."""
        expected, seen = await self._ask(lambda: self._store.count(COLLECTION, {})), 0
        try:
            async for _, document in self._store.scan(COLLECTION):
                seen += 1
                yield _record(document)
        except (ReadStoreUnavailable, ReadStoreRefused) as error:
            raise KeyStoreUnavailable(str(error)) from error
        if seen < expected:
            raise KeyStoreUnavailable(f"the store has shown {seen} of {expected} keys")

    async def ping(self) -> None:
        """See KeyStore."""
        await self._ask(self._store.ping)

    async def close(self) -> None:
        """See KeyStore."""
        await self._store.close()

    async def _ask(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            if not self._is_prepared:
                await self._store.prepare(COLLECTION, KeyDocument, (("subject", "generation"), ("master",)))
                self._is_prepared = True
            return await work()
        except ReadStoreUnavailable as error:
            raise KeyStoreUnavailable(str(error), error.retry_after) from error
        except ReadStoreRefused as error:
            raise KeyStoreUnavailable(str(error)) from error


def _name(key: KeyId) -> str:
    return f"{key.subject}/{key.generation}"


def _write(record: KeyRecord, position: int, *, new: bool = False) -> Write:
    document = KeyDocument(record.id.subject, record.id.generation, record.master, record.wrapped)
    return Write(_name(record.id), position, msgspec.to_builtins(document), new)


def _record(document: StoredDocument) -> KeyRecord:
    read = msgspec.convert(document.fields, KeyDocument)
    return KeyRecord(KeyId(read.subject, read.generation), read.master, read.wrapped)
