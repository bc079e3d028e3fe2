"""The read store as the services see it: guarded writes by key, reads by key, pages by one integer field."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

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
from infrastructure.resilience import Guard, GuardedPlaces, State
from infrastructure.settings import Settings
from infrastructure.telemetry.store_spans import READ_STORE, store_span

_DUPLICATE_KEY = 11000
# A chunk's documents must fit into one reply (16 MiB) even when each is an order of 500 lines (about 60 KiB).
_KEYS_PER_READ = 128
_WRITES_PER_CALL = 1000
_DOCUMENTS_PER_BATCH = 200
# Every write must survive a change of primary, or a checkpoint could outlive the documents it covers. It need not
# wait for the disk: a journal is written in order, so after a crash what is left is a state the store once had, and a
# projector continues from its checkpoint. (A flush per write costs the embedded store nine tenths of its throughput.)
_ACKNOWLEDGED = WriteConcern("majority")
_JOURNALED = WriteConcern("majority", j=True)

# How long a change may take, in seconds, as long as the store answers anything at all.
_PATIENCE = 30.0
_HEARTBEAT_MILLISECONDS = 1_000

T = TypeVar("T")

_Document = dict[str, Any]


class _PlainIntegers(TypeDecoder):
    """Integers beyond 32 bits come out of BSON as a type of the driver, which must not leave this module."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


CODEC_OPTIONS: "CodecOptions[_Document]" = CodecOptions(type_registry=TypeRegistry([_PlainIntegers()]))


class ReadStore:
    """A MongoDB database, or its embedded stand-in, given by a connection string. It connects at first use.

    `timeout` bounds in seconds how long a read takes, and how long the store may be silent while anything waits for
    it. A store that is found silent or away is probed every `probe_interval` seconds; until it answers, every operation
    raises ReadStoreUnavailable at once, as does one that comes when `concurrency` are under way and `queue` wait.

    Every method raises ReadStoreUnavailable when the store can't be reached, ReadStoreRefused when it answers with an
    error, and UnsafeForReadStore when asked for something outside the safe subset, or to store a value that no store
    can hold. Writes are acknowledged by a majority, whatever the connection string says; with `journaled` once they are
    on disk there, for what can't be made again.
    """

    def __init__(
        self,
        uri: str,
        database: str,
        *,
        timeout: float = 5.0,
        probe_interval: float = 1.0,
        concurrency: int = 128,
        queue: int = 4096,
        journaled: bool = False,
    ) -> None:
        milliseconds = int(timeout * 1000)
        self._timeout = timeout
        self._patience = max(timeout, _PATIENCE)
        self._client: Any = AsyncIOMotorClient(
            uri,
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            socketTimeoutMS=int(self._patience * 1000),
            # The driver asks the server this often whether it is there. Without an answer it frees the threads in which
            # operations wait for a reply that will never come; by default that would be ten seconds later.
            heartbeatFrequencyMS=_HEARTBEAT_MILLISECONDS,
            retryWrites=False,
        )
        self._guard = Guard(
            "read_store",
            self._ask,
            silence=timeout,
            probe_interval=probe_interval,
            away=ReadStoreUnavailable,
            unavailable=ReadStoreUnavailable,
        )
        self._places = GuardedPlaces(self._guard, concurrency, queue, ReadStoreUnavailable)
        concern = _JOURNALED if journaled else _ACKNOWLEDGED
        self._database = self._client.get_database(database, CODEC_OPTIONS, write_concern=concern)
        self._collections: dict[str, AsyncIOMotorCollection[Any]] = {}

    @property
    def circuit(self) -> State:
        """Whether calls are let through; for /health/ready."""
        return self._guard.circuit

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The read store that the settings name."""
        return cls(
            settings.read_store.uri,
            settings.read_store.database,
            timeout=settings.read_store.timeout,
            probe_interval=settings.resilience.probe_interval,
            concurrency=settings.read_store.concurrency,
            queue=settings.read_store.queue,
        )

    async def ping(self) -> None:
        """Raises ReadStoreUnavailable unless the store answers."""
        self._guard.check()
        try:
            async with asyncio.timeout(self._timeout):
                await self._ask()
        except TimeoutError:
            raise ReadStoreUnavailable(f"no answer within {self._timeout:g} s") from None

    async def prepare(self, collection: str, struct: type[Struct], indexes: Sequence[tuple[str, ...]]) -> None:
        """Checks the documents' type against the safe subset and makes the indexes."""
        check_collection(collection)
        check_document_type(struct)
        for fields in indexes:
            check_index(fields, struct)
            keys = [(field, ASCENDING) for field in fields]
            await self._change(lambda keys=keys: self._collection(collection).create_index(keys))  # type: ignore[misc]

    async def load(self, collection: str, keys: Sequence[str]) -> dict[str, StoredDocument]:
        """The documents (and tombstones) of those keys that exist."""
        chunks = [keys[start : start + _KEYS_PER_READ] for start in range(0, len(keys), _KEYS_PER_READ)]
        found: dict[str, StoredDocument] = {}
        with store_span(READ_STORE, "find", collection):
            for chunk in chunks:
                documents = await self._load(collection, chunk)
                found.update(map(read_back, documents))
        return found

    async def _load(self, collection: str, keys: Sequence[str]) -> list[_Document]:
        if len(keys) == 1:  # many a query has one key, and that is simpler for the driver than a cursor
            document = await self._read(lambda: self._collection(collection).find_one({ID: keys[0]}))
            return [] if document is None else [document]
        # One batch holds all of them, as in `page`; a second one would also cost several times the first.
        cursor = self._collection(collection).find({ID: {"$in": list(keys)}}).batch_size(len(keys) + 1)
        documents: list[_Document] = await self._read(lambda: cursor.to_list(len(keys)))
        return documents

    async def write(self, collection: str, writes: Sequence[Write]) -> frozenset[str]:
        """Writes each document unless the stored one has folded as much or more; returns the keys that were refused.

        One round trip per thousand documents; each document is written whole or not at all, in no particular order.
        """
        refused: set[str] = set()
        with store_span(READ_STORE, "bulkWrite", collection, {"db.operation.batch.size": len(writes)}) as span:
            for start in range(0, len(writes), _WRITES_PER_CALL):
                refused |= await self._write(self._collection(collection), writes[start : start + _WRITES_PER_CALL])
            span.set_attribute("eventfold.refused", len(refused))
        return frozenset(refused)

    async def _write(self, collection: "AsyncIOMotorCollection[Any]", writes: Sequence[Write]) -> set[str]:
        operations = [_operation(write) for write in writes]
        try:
            await self._change(lambda: collection.bulk_write(operations, ordered=False))
        except _Conflicts as conflicts:
            return {writes[index].key for index in conflicts.indexes}
        return set()

    async def page(self, collection: str, page: Page) -> list[tuple[str, StoredDocument]]:
        """The documents of the page, each with its key."""
        where, order = mongo_filter(page.where), ASCENDING if page.direction == "ascending" else DESCENDING
        # One batch holds the whole page, so that no cursor is left that a restart of the store would lose.
        cursor: Any = self._collection(collection).find(where).sort(page.by, order).limit(page.limit)
        cursor = cursor.batch_size(page.limit + 1)
        with store_span(READ_STORE, "find", collection):
            documents: list[_Document] = await self._read(lambda: cursor.to_list(page.limit))
        return [read_back(document) for document in documents]

    async def count(self, collection: str, where: Where) -> int:
        """How many documents meet `where`."""
        pipeline: list[_Document] = [{"$match": mongo_filter(where)}, {"$count": "documents"}]
        counted = await self._read(lambda: self._collection(collection).aggregate(pipeline).to_list(1))
        return int(counted[0]["documents"]) if counted else 0

    async def estimated_count(self, collection: str) -> int:
        """How many documents (and tombstones) there are, by the store's own statistics; 0 without the collection."""
        return await self._read(lambda: self._collection(collection).estimated_document_count())

    async def delete(self, collection: str, key: str) -> None:
        """Removes a document for good, its guard included; for internal records, not for views."""
        await self._change(lambda: self._collection(collection).delete_one({ID: key}))

    async def replace_exactly(self, collection: str, write: Write, position: int) -> bool:
        """Writes a document over the one that is at exactly `position`, whatever the new one's own position is.

        False when the stored one has moved on: nothing is written then. This is for documents folded again from the
        log.
        """
        found = {ID: write.key, POSITION: position}
        with store_span(READ_STORE, "replaceOne", collection):
            done = await self._change(lambda: self._collection(collection).replace_one(found, stored(write)))
        return bool(done.matched_count)

    async def scan(self, collection: str) -> AsyncIterator[tuple[str, StoredDocument]]:
        """Every document (and tombstone) with its key, in no particular order.

        A store that restarts meanwhile may end it early without an error: compare the number of documents with `count`.
        """
        cursor = self._collection(collection).find({}).batch_size(_DOCUMENTS_PER_BATCH)
        while documents := await self._read(lambda: cursor.to_list(_DOCUMENTS_PER_BATCH)):
            for document in documents:
                yield read_back(document)

    async def remove(self, collection: str, where: Where) -> None:
        """Removes for good every document that meets `where`, guards included; for internal records, not for views."""
        condition = mongo_filter(where)
        await self._change(lambda: self._collection(collection).delete_many(condition))

    async def drop(self, collection: str) -> None:
        """Removes a collection and its indexes, if it exists."""
        check_collection(collection)
        await self._change(lambda: self._collection(collection).drop())
        self._collections.pop(collection, None)

    async def close(self) -> None:
        await self._guard.close()
        # The end of the process waits for the driver's threads. Those that wait for a silent store are freed by the
        # driver's own check of the server, which a closed client does not make any more.
        if not self._guard.unanswered:
            self._client.close()

    async def _ask(self) -> None:
        await _translated(lambda: self._database.command("ping"))

    async def _read(self, operation: Callable[[], Awaitable[T]]) -> T:
        return await self._places.call(lambda: _translated(operation), self._timeout)

    async def _change(self, operation: Callable[[], Awaitable[T]]) -> T:
        """As `_read`, but it may take longer while the store shows that it is there: what an index or a whole
        collection takes, is done by a repetition no sooner."""
        return await self._places.call(lambda: _translated(operation), self._patience)

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


async def _translated(operation: Callable[[], Awaitable[T]]) -> T:
    with _errors():
        return await operation()


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
