"""Finds of documents by key: one key, or a list of keys."""

import struct

from neosqlite._sqlite import sqlite3
from nx_27017.handler import NeoSQLiteHandler
from nx_27017.wire_protocol import MAX_BSON_DOCUMENT_SIZE

from embedded.read_store_server.documents import stored
from embedded.read_store_server.messages import NotOnFastPath, Request

# As many as our read store adapter asks for at once. Longer lists are rare, and each length needs its own statement.
MOST_KEYS = 128
_LENGTH = struct.Struct("<i")


def find(connection: sqlite3.Connection, table: str, request: Request) -> bytes:
    """All documents found as one first batch: nx-27017's response as BSON.

    Raises:
        NotOnFastPath: it does not ask for keys, or asks for more than one batch.
        sqlite3.Error: likewise; there is no such table.
    """
    keys = _keys(request)
    marks = ", ".join("?" * len(keys))
    rows = connection.execute(f"SELECT data FROM {table} WHERE _id IN ({marks})", keys).fetchall()
    if len(rows) > NeoSQLiteHandler._first_batch_size(request.body):
        raise NotOnFastPath("more than a batch")
    documents = [stored(data) for (data,) in rows]
    if sum(map(len, documents)) > MAX_BSON_DOCUMENT_SIZE:
        raise NotOnFastPath("more than a batch")
    return _cursor(f"{request.database}.{request.collection}", documents)


def _keys(request: Request) -> list[str]:
    where = request.body.get("filter")
    if type(where) is not dict or where.keys() != {"_id"}:
        raise NotOnFastPath("not by key")
    condition = where["_id"]
    if type(condition) is str and request.body.get("limit", 0) in (-1, 0, 1):
        return [condition]
    if type(condition) is not dict or condition.keys() != {"$in"} or "limit" in request.body:
        raise NotOnFastPath("not by key")
    keys = condition["$in"]
    if type(keys) is not list or not 0 < len(keys) <= MOST_KEYS or any(type(key) is not str for key in keys):
        raise NotOnFastPath("not by key")
    return keys


def _cursor(namespace: str, documents: list[bytes]) -> bytes:
    """{"ok": 1, "cursor": {"id": 0, "ns": namespace, "firstBatch": documents}}, of documents that are BSON already."""
    batch = b"".join([b"\x03%d\x00%b" % (index, document) for index, document in enumerate(documents)])
    name = namespace.encode() + b"\x00"
    cursor = (
        b"\x12id\x00"
        + bytes(8)
        + b"\x02ns\x00"
        + _LENGTH.pack(len(name))
        + name
        + b"\x04firstBatch\x00"
        + _sized(batch)
    )
    return _sized(b"\x10ok\x00\x01\x00\x00\x00" + b"\x03cursor\x00" + _sized(cursor))


def _sized(elements: bytes) -> bytes:
    return _LENGTH.pack(len(elements) + 5) + elements + b"\x00"
