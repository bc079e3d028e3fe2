"""nx-27017 with one SQLite transaction for each message, where it would commit every document by itself.

A bulk write of a thousand documents is then one commit, and its answer comes after that commit as before. It more than
halves what an insert costs (docs/decisions/0003). Taken from outside, and so only for the versions it was tested with;
any other version runs as it is.
"""

import functools
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

TESTED = {"nx-27017": "0.8.1", "neosqlite": "1.17.2"}

Handle = Callable[[Any, dict[str, Any]], Any]


def main() -> int:
    """Runs nx-27017 with this process's arguments; answers its exit code."""
    from nx_27017 import nx_27017
    from nx_27017.handler import NeoSQLiteHandler

    if all(version(package) == tested for package, tested in TESTED.items()):
        for name in ("handle_insert", "handle_command"):
            setattr(NeoSQLiteHandler, name, _in_one_transaction(getattr(NeoSQLiteHandler, name)))
    return nx_27017.main() or 0


def _in_one_transaction(handle: Handle) -> Handle:
    @functools.wraps(handle)
    def handled(handler: Any, message: dict[str, Any]) -> Any:
        body: dict[str, Any] = next((section[1] for section in message["sections"] if section[0] == "body"), {})
        if not ("insert" in body or "update" in body):
            return handle(handler, message)
        name = body.get("$db", "test")
        with handler._lock_for(name):
            database = handler.get_database(name)
            connection = database.db
            if connection.in_transaction:
                return handle(handler, message)
            # SQLite takes a change of durability only outside a transaction.
            handler._apply_write_concern(database, name, body.get("writeConcern"))
            connection.execute("BEGIN IMMEDIATE")
            try:
                answer = handle(handler, message)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            # Making a new collection ends the transaction early; what follows it then commits by itself.
            if connection.in_transaction:
                connection.execute("COMMIT")
            return answer

    return handled


if __name__ == "__main__":
    sys.exit(main())
