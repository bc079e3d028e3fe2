"""Replacements of whole documents by key, guarded by a position: the one kind of update that the read store makes."""

from typing import Any

import bson
from bson.int64 import Int64
from neosqlite._sqlite import sqlite3
from nx_27017.handler import _bulk_write_error

from embedded.read_store_server.documents import text
from embedded.read_store_server.inserts import insert_statement
from embedded.read_store_server.messages import NotOnFastPath, Request

_ARGUMENTS = {"q", "u", "upsert", "multi"}


def replace(connection: sqlite3.Connection, collection: Any, request: Request) -> bytes:
    """Makes the request's replacements in the caller's transaction; returns nx-27017's response as BSON.

    Raises:
        NotOnFastPath: there is an update of another kind, or a document that nx-27017 must handle.
        sqlite3.Error: likewise; there is no such table.
    """
    # neosqlite's own condition: a document without a position, or with one of another type, is treated as it does.
    where, _ = collection.query_engine.sql_translator.translate_match({"_id": "", "_position": {"$lt": 0}})
    update = f"UPDATE {collection.name} SET data = ? {where}"
    insert = insert_statement(collection.name)
    modified = 0
    upserted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for index, change in enumerate(bson.decode_iter(request.documents)):
        key, position, document = _guarded(change)
        data = text(document)
        changed = connection.execute(update, (data, key, position)).rowcount
        if changed == 1:
            modified += 1
            continue
        if changed:
            raise NotOnFastPath("more than one document has this _id")
        try:
            connection.execute(insert, (data, key))
        except sqlite3.IntegrityError as error:
            errors.append(_bulk_write_error(error, index))
            if request.body.get("ordered", True):
                break
        else:
            upserted.append({"index": index, "_id": key})
    response: dict[str, Any] = {"ok": 1, "n": modified + len(upserted), "nModified": modified}
    if upserted:
        response["upserted"] = upserted
    if errors:
        response["writeErrors"] = errors
    return bson.encode(response)


def _guarded(change: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
    """The key, the position that the stored document's must be below, and the document."""
    where, document = change["q"], change["u"]
    if not change.keys() <= _ARGUMENTS or change.get("upsert") is not True or change.get("multi", False) is not False:
        raise NotOnFastPath("not a plain upsert")
    if type(document) is not dict or len(where) != 2:
        raise NotOnFastPath("not a guarded replacement")
    key, guard = where.get("_id"), where.get("_position")
    if type(key) is not str or type(guard) is not dict or len(guard) != 1 or document.get("_id") != key:
        raise NotOnFastPath("not a guarded replacement")
    position: Any = guard.get("$lt")
    if type(position) not in (int, Int64) or any(name.startswith("$") for name in document):
        raise NotOnFastPath("not a guarded replacement")
    return key, int(position), document
