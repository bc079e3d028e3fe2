"""Documents by their keys: one, or those of a list."""

import struct

from neosqlite._sqlite import sqlite3
from nx_27017.handler import NeoSQLiteHandler
from nx_27017.wire_protocol import MAX_BSON_DOCUMENT_SIZE

from embedded.read_store_server.documents import stored
from embedded.read_store_server.requests import NotShort, Request

# As many as the read store asks for at once; longer lists of them are rare, and each length is a statement of its own.
MOST_KEYS = 128
_LENGTH = struct.Struct("<i")


def find(connection: sqlite3.Connection, table: str, request: Request) -> bytes:
    """The first batch of what is asked for, which holds all of it, in the words of nx-27017 as BSON.

    Raises:
        NotShort: it asks for something else than keys, or for more than a batch holds.
        sqlite3.Error: likewise, as there is no such table.
    """
    keys = _keys(request)
    marks = ", ".join("?" * len(keys))
    rows = connection.execute(f"SELECT data FROM {table} WHERE _id IN ({marks})", keys).fetchall()
    if len(rows) > NeoSQLiteHandler._first_batch_size(request.body):
        raise NotShort("more than a batch")
    documents = [stored(data) for (data,) in rows]
    if sum(map(len, documents)) > MAX_BSON_DOCUMENT_SIZE:
        raise NotShort("more than a batch")
    return _cursor(f"{request.database}.{request.collection}", documents)


def _keys(request: Request) -> list[str]:
    where = request.body.get("filter")
    if type(where) is not dict or where.keys() != {"_id"}:
        raise NotShort("not by key")
    wanted = where["_id"]
    if type(wanted) is str and request.body.get("limit", 0) in (-1, 0, 1):
        return [wanted]
    if type(wanted) is not dict or wanted.keys() != {"$in"} or "limit" in request.body:
        raise NotShort("not by key")
    keys = wanted["$in"]
    if type(keys) is not list or not 0 < len(keys) <= MOST_KEYS or any(type(key) is not str for key in keys):
        raise NotShort("not by key")
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
