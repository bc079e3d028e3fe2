"""The read store as the services see it: guarded writes by key, reads by key, pages by one integer field."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import InvalidDocument, InvalidStringData
from bson.int64 import Int64
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from msgspec import Struct
from pymongo import ASCENDING, DESCENDING, InsertOne, ReplaceOne, WriteConcern
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    PyMongoError,
    WTimeoutError,
)

from infrastructure.read_store.documents import ID, POSITION, StoredDocument, Write, read_back, stored
from infrastructure.read_store.errors import ReadStoreRefused, ReadStoreUnavailable, UnsafeForReadStore
from infrastructure.read_store.page import Page, Where
from infrastructure.read_store.subset import check_collection, check_document_type, check_index, mongo_filter
from infrastructure.settings import Settings

_DUPLICATE_KEY = 11000
# A chunk's documents must fit into one reply (16 MiB) even when each is an order of 500 lines (about 60 KiB).
_KEYS_PER_READ = 128
_WRITES_PER_CALL = 1000
_DOCUMENTS_PER_BATCH = 200
# Every write must survive a change of primary, or a checkpoint could outlive the documents it covers. It need not
# wait for the disk: a journal is written in order, so after a crash what is left is a state the store once had, and a
# projector continues from its checkpoint. (A flush per write costs the embedded store nine tenths of its throughput.)
_ACKNOWLEDGED = WriteConcern("majority")

_Document = dict[str, Any]


class _PlainIntegers(TypeDecoder):
    """Integers beyond 32 bits come out of BSON as a type of the driver, which must not leave this module."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


CODEC_OPTIONS: "CodecOptions[_Document]" = CodecOptions(type_registry=TypeRegistry([_PlainIntegers()]))


class ReadStore:
    """A MongoDB database, or its embedded stand-in, given by a connection string. It connects at first use.

    `timeout` bounds in seconds how long one operation waits for a server. Every method raises ReadStoreUnavailable when
    the store can't be reached, ReadStoreRefused when it answers with an error, and UnsafeForReadStore when asked for
    something outside the safe subset, or to store a value that no store can hold. Writes are acknowledged by a
    majority, whatever the connection string says.
    """

    def __init__(self, uri: str, database: str, *, timeout: float = 5.0) -> None:
        milliseconds = int(timeout * 1000)
        self._client: Any = AsyncIOMotorClient(
            uri,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            socketTimeoutMS=max(milliseconds, 30_000),
            retryWrites=False,
        )
        self._database = self._client.get_database(database, CODEC_OPTIONS, write_concern=_ACKNOWLEDGED)
        self._collections: dict[str, AsyncIOMotorCollection[Any]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The read store that the settings name."""
        return cls(settings.read_store.uri, settings.read_store.database, timeout=settings.read_store.timeout)

    async def ping(self) -> None:
        """Raises ReadStoreUnavailable unless the store answers."""
        with _errors():
            await self._database.command("ping")

    async def prepare(self, collection: str, struct: type[Struct], indexes: Sequence[tuple[str, ...]]) -> None:
        """Checks the documents' type against the safe subset and makes the indexes."""
        check_collection(collection)
        check_document_type(struct)
        for fields in indexes:
            check_index(fields, struct)
            with _errors():
                await self._collection(collection).create_index([(field, ASCENDING) for field in fields])

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        """The documents (and tombstones) of those keys that exist."""
        chunks = [keys[start : start + _KEYS_PER_READ] for start in range(0, len(keys), _KEYS_PER_READ)]
        found: dict[str, StoredDocument] = {}
        for chunk in chunks:
            documents = await self._load(collection, chunk)
            found.update(map(read_back, documents))
        return found

    async def _load(self, collection: str, keys: Sequence[str]) -> list[_Document]:
        with _errors():
            if len(keys) == 1:  # many a query has one key, and that is simpler for the driver than a cursor
                document = await self._collection(collection).find_one({ID: keys[0]})
                return [] if document is None else [document]
            # One batch holds all of them, as in `page`; a second one would also cost several times the first.
            cursor = self._collection(collection).find({ID: {"$in": list(keys)}}).batch_size(len(keys) + 1)
            documents: list[_Document] = await cursor.to_list(len(keys))
        return documents

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[str]:
        """Writes each document unless the stored one has folded as much or more; returns the keys that were refused.

        One round trip per thousand documents; each document is written whole or not at all, in no particular order.
        """
        refused: set[str] = set()
        for start in range(0, len(writes), _WRITES_PER_CALL):
            refused |= await self._write(self._collection(collection), writes[start : start + _WRITES_PER_CALL])
        return frozenset(refused)

    async def _write(self, collection: "AsyncIOMotorCollection[Any]", writes: Sequence[Write]) -> set[str]:
        operations = [_operation(write) for write in writes]
        try:
            with _errors():
                await collection.bulk_write(operations, ordered=False)
        except _Conflicts as conflicts:
            return {writes[index].key for index in conflicts.indexes}
        return set()

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]:
        """The documents of the page, each with its key."""
        where, order = mongo_filter(page.where), ASCENDING if page.direction == "ascending" else DESCENDING
        with _errors():
            # One batch holds the whole page, so that no cursor is left that a restart of the store would lose.
            cursor = self._collection(collection).find(where).sort(page.by, order).limit(page.limit)
            documents: list[_Document] = await cursor.batch_size(page.limit + 1).to_list(page.limit)
        return [read_back(document) for document in documents]

    async def count(self, collection: str, where: Where) -> int:
        """How many documents meet `where`."""
        pipeline: list[_Document] = [{"$match": mongo_filter(where)}, {"$count": "documents"}]
        with _errors():
            counted = await self._collection(collection).aggregate(pipeline).to_list(1)
        return int(counted[0]["documents"]) if counted else 0

    async def delete(self, collection: str, key: str) -> None:
        """Removes a document for good, its guard included; for internal records, not for views."""
        with _errors():
            await self._collection(collection).delete_one({ID: key})

    async def replace_exactly(self, collection: str, write: Write, position: int) -> bool:
        """Writes a document over the one that is at exactly `position`, whatever the new one's own position is.

        False when the stored one has moved on: nothing is written then. This is for documents folded again from the
        log.
        """
        with _errors():
            done = await self._collection(collection).replace_one({ID: write.key, POSITION: position}, stored(write))
        return bool(done.matched_count)

    async def scan(self, collection: str) -> AsyncIterator[tuple[str, StoredDocument]]:
        """Every document (and tombstone) with its key, in no particular order.

        A store that restarts meanwhile may end it early without an error: compare the number of documents with `count`.
        """
        with _errors():
            async for document in self._collection(collection).find({}).batch_size(_DOCUMENTS_PER_BATCH):
                yield read_back(document)

    async def remove(self, collection: str, where: Where) -> None:
        """Removes for good every document that meets `where`, guards included; for internal records, not for views."""
        condition = mongo_filter(where)
        with _errors():
            await self._collection(collection).delete_many(condition)

    async def drop(self, collection: str) -> None:
        """Removes a collection and its indexes, if it exists."""
        check_collection(collection)
        with _errors():
            await self._collection(collection).drop()
        self._collections.pop(collection, None)

    async def close(self) -> None:
        self._client.close()

    def _collection(self, name: str) -> "AsyncIOMotorCollection[Any]":
        # Cached, because making one takes the driver a large part of the time of a short read.
        if name not in self._collections:
            self._collections[name] = self._database[name]
        return self._collections[name]


def _operation(write: Write) -> InsertOne[_Document] | ReplaceOne[_Document]:
    if write.new:
        return InsertOne(stored(write))
    return ReplaceOne({ID: write.key, POSITION: {"$lt": write.position}}, stored(write), upsert=True)


class _Conflicts(Exception):
    def __init__(self, indexes: list[int]) -> None:
        self.indexes = indexes


@contextmanager
def _errors() -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except BulkWriteError as error:
        faults = error.details.get("writeErrors", [])
        others = [fault for fault in faults if fault["code"] != _DUPLICATE_KEY]
        if others or error.details.get("writeConcernErrors"):
            raise ReadStoreRefused(f"{(others or error.details)!r:.500}") from error
        raise _Conflicts([fault["index"] for fault in faults]) from error
    except (ConnectionFailure, ExecutionTimeout, WTimeoutError, InvalidOperation, asyncio.IncompleteReadError) as error:
        raise ReadStoreUnavailable(f"{error!s:.300}") from error
    except (InvalidDocument, InvalidStringData, OverflowError, UnicodeEncodeError) as error:
        raise UnsafeForReadStore(f"{error!s:.500}") from error
    except PyMongoError as error:
        raise ReadStoreRefused(f"{error!s:.500}") from error


async def probe(uri: str, database: str) -> None:
    """Raises ReadStoreUnavailable unless the store answers a ping and a write reads back; leaves nothing behind."""
    store = ReadStore(uri, database, timeout=1.0)
    try:
        await store.ping()
        await store.write("readiness_probes", [Write("probe", 1, {"written": "yes"})])
        found = await store.load("readiness_probes", ["probe"])
        await store.delete("readiness_probes", "probe")
    except ReadStoreRefused as error:
        raise ReadStoreUnavailable(str(error)) from error
    finally:
        await store.close()
    if not found:
        raise ReadStoreUnavailable("a write does not read back")
