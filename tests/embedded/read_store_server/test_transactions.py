"""The transaction around a message ends with the message, whatever happens."""

import sqlite3
from types import SimpleNamespace

import pytest

from embedded.read_store_server.transactions import transaction


@pytest.fixture
def connection() -> sqlite3.Connection:
    """A database in which an orphan in `children` is found out at COMMIT only."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    connection.execute("CREATE TABLE children (id INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
    return connection


@pytest.fixture
def handler(connection: sqlite3.Connection) -> SimpleNamespace:
    return SimpleNamespace(
        get_database=lambda name: SimpleNamespace(db=connection), _apply_write_concern=lambda *arguments: None
    )


def test_what_was_done_in_the_block_is_committed(handler, connection):
    with transaction(handler, {"$db": "test"}):
        connection.execute("INSERT INTO parents VALUES (1)")
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM parents").fetchone() == (1,)


def test_a_failure_in_the_block_takes_it_back(handler, connection):
    def write_and_fail() -> None:
        with transaction(handler, {"$db": "test"}):
            connection.execute("INSERT INTO parents VALUES (1)")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        write_and_fail()
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM parents").fetchone() == (0,)


def test_a_commit_that_fails_leaves_no_transaction_open(handler, connection):
    with pytest.raises(sqlite3.IntegrityError), transaction(handler, {"$db": "test"}):
        connection.execute("INSERT INTO children VALUES (1)")
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM children").fetchone() == (0,)
