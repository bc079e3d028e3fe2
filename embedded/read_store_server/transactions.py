"""One SQLite transaction for each message, where nx-27017 would commit every document by itself.

A bulk write of a thousand documents is then one commit, and its response comes after that commit, as before.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from nx_27017.handler import NeoSQLiteHandler

Handle = Callable[[Any, dict[str, Any]], Any]


def install() -> None:
    """Puts the transaction around nx-27017's own handling of inserts and updates."""
    for name in ("handle_insert", "handle_command"):
        setattr(NeoSQLiteHandler, name, _in_one_transaction(getattr(NeoSQLiteHandler, name)))


@contextlib.contextmanager
def transaction(handler: Any, body: dict[str, Any]) -> Iterator[None]:
    """Commits at the end of the block, rolls back when it raises. The caller must have the database's lock."""
    name = body.get("$db", "test")
    database = handler.get_database(name)
    connection = database.db
    # SQLite allows a change of durability only outside a transaction.
    handler._apply_write_concern(database, name, body.get("writeConcern"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        # Making a new collection ends the transaction early; what follows is then committed statement by statement.
        if connection.in_transaction:
            connection.execute("COMMIT")
    except BaseException:
        # Also after a COMMIT that failed: left open, the transaction would take in all later acknowledged writes.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _in_one_transaction(handle: Handle) -> Handle:
    @functools.wraps(handle)
    def handled(handler: Any, message: dict[str, Any]) -> Any:
        body: dict[str, Any] = next((section[1] for section in message["sections"] if section[0] == "body"), {})
        if not ("insert" in body or "update" in body):
            return handle(handler, message)
        name = body.get("$db", "test")
        with handler._lock_for(name):
            if handler.get_database(name).db.in_transaction:
                return handle(handler, message)
            with transaction(handler, body):
                return handle(handler, message)

    return handled
