"""The short way of a request, where there is one: nx-27017's answer, without its ways of coming to it."""

import logging
from typing import Any

from embedded.read_store_server.finds import find
from embedded.read_store_server.inserts import insert
from embedded.read_store_server.replaces import replace
from embedded.read_store_server.requests import Request, reply
from embedded.read_store_server.transactions import transaction

_log = logging.getLogger(__name__)


def answer(handler: Any, request: Request) -> bytes | None:
    """The whole reply; None: nothing was changed, and nx-27017 is to answer. The caller holds the database's lock."""
    database = handler.get_database(request.database)
    # Only what nx-27017 has made or opened by itself, under a name that it has looked at.
    collection = database._collections.get(request.collection)
    if collection is None or request.collection.endswith(("_files", "_chunks")) or _transaction_open(handler, database):
        return None
    try:
        if request.command == "find":
            return reply(request.number, find(database.db, collection.name, request))
        with transaction(handler, request.body):
            if request.command == "insert":
                document = insert(database.db, collection.name, request)
            else:
                document = replace(database.db, collection, request)
        return reply(request.number, document)
    except Exception as error:
        # Whatever it is, nx-27017 decides what it means.
        _log.warning("the ordinary way for %s: %r", request.command, error)
        return None


def _transaction_open(handler: Any, database: Any) -> bool:
    with handler._sessions_lock:
        return database.db.in_transaction or any(session.in_transaction for session in handler._sessions.values())
