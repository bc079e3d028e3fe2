"""The short way of a request, where there is one: nx-27017's answer, without its ways of coming to it."""

import re
from typing import Any

from embedded.read_store_server.finds import find
from embedded.read_store_server.inserts import insert
from embedded.read_store_server.replaces import replace
from embedded.read_store_server.requests import NotShort, Request, reply
from embedded.read_store_server.transactions import transaction

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_GRIDFS = ("_files", "_chunks")


def answer(handler: Any, request: Request) -> bytes:
    """The whole reply; the caller holds the database's lock.

    Raises:
        NotShort: nx-27017 is to answer.
        Exception: likewise; nothing was changed.
    """
    if not _NAME.fullmatch(request.collection) or request.collection.endswith(_GRIDFS):
        raise NotShort("a collection of another kind")
    database = handler.get_database(request.database)
    if _transaction_open(handler, database):
        raise NotShort("a transaction is open")
    if request.command == "find":
        return reply(request.number, find(database.db, request.collection, request))
    collection = database[request.collection]  # made now, if it is not there: it can't be within the transaction
    with transaction(handler, request.body):
        if request.command == "insert":
            document = insert(database.db, collection.name, request)
        else:
            document = replace(database.db, collection, request)
    return reply(request.number, document)


def _transaction_open(handler: Any, database: Any) -> bool:
    with handler._sessions_lock:
        return database.db.in_transaction or any(session.in_transaction for session in handler._sessions.values())
