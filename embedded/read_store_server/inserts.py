"""Inserts of documents whose `_id` is a str, with one prepared statement."""

from collections.abc import Iterator
from typing import Any

import bson
from neosqlite._sqlite import sqlite3
from nx_27017.handler import _bulk_write_error

from embedded.read_store_server.documents import text
from embedded.read_store_server.messages import NotOnFastPath, Request


def insert_statement(table: str) -> str:
    """The statement that neosqlite inserts with; it takes the text and the key."""
    return f"INSERT INTO {table}(data, _id) VALUES (?, ?)"


def insert(connection: sqlite3.Connection, table: str, request: Request) -> bytes:
    """Inserts the request's documents in the caller's transaction; returns nx-27017's response as BSON.

    Raises:
        NotOnFastPath: nx-27017 must handle one of the documents.
        sqlite3.Error: likewise; there is no such table.
    """
    keys: list[str] = []
    errors: list[dict[str, Any]] = []
    rows = _rows(request, keys)
    statement = insert_statement(table)
    while True:
        try:
            connection.executemany(statement, rows)
            break
        except sqlite3.IntegrityError as error:
            # The generator is at the row that failed.
            errors.append(_bulk_write_error(error, len(keys) - 1))
            if request.body.get("ordered", True):
                break
    failed = {error["index"] for error in errors}
    inserted = [key for index, key in enumerate(keys) if index not in failed] if failed else keys
    response = {"ok": 1, "n": len(inserted), "insertedIds": inserted}
    return bson.encode({**response, "writeErrors": errors} if errors else response)


def _rows(request: Request, keys: list[str]) -> Iterator[tuple[str, str]]:
    # One document after the other: a thousand decoded at once would start the garbage collector.
    for document in bson.decode_iter(request.documents):
        key = document.get("_id")
        if type(key) is not str:
            raise NotOnFastPath("its _id is not a str")
        keys.append(key)
        yield text(document), key
