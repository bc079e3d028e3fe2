"""The fast path responds as nx-27017 does, to the byte, and stores what it would store."""

import sqlite3
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.embedded.read_store_server.commands import COLLECTION, Command, client, commands, response_to
from tests.support.read_store import ReadStoreServer


def rows(server: ReadStoreServer, database: str) -> list[tuple[object, ...]]:
    """The table as it is in the file."""
    path = Path(server.folder, "data", f"{database}.db")
    with sqlite3.connect(path) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (COLLECTION,)).fetchone():
            return []
        return connection.execute(f"SELECT typeof(data), typeof(_id), * FROM {COLLECTION} ORDER BY id").fetchall()


def check(fast: ReadStoreServer, plain: ReadStoreServer, sequence: list[Command]) -> None:
    database = f"test_{uuid.uuid4().hex}"
    with client(fast.uri) as left, client(plain.uri) as right:
        for command in sequence:
            assert response_to(left, database, command) == response_to(right, database, command), command
            assert rows(fast, database) == rows(plain, database), command


@settings(max_examples=60, deadline=None)
@given(sequence=st.lists(commands, min_size=2, max_size=12))
def test_the_same_responses_and_the_same_rows(fast: ReadStoreServer, plain: ReadStoreServer, sequence: list[Command]):
    check(fast, plain, sequence)


def test_a_document_whose_key_does_not_come_first(fast: ReadStoreServer, plain: ReadStoreServer):
    without_key = {"q": {"_id": "a", "_position": {"$lt": 7}}, "u": {"n": 4}, "upsert": False}
    check(
        fast,
        plain,
        [
            {"update": COLLECTION, "updates": [replacement("a", 0, n=0), without_key], "ordered": False},
            {"find": COLLECTION, "filter": {"_id": "a"}},
        ],
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=1_000, deadline=None)
@given(sequence=st.lists(commands, min_size=5, max_size=40))
def test_the_same_in_long_sequences(fast: ReadStoreServer, plain: ReadStoreServer, sequence: list[Command]):
    check(fast, plain, sequence)


def document(key: str, position: int, **fields: object) -> Command:
    return {"_id": key, "_position": position, **fields}


def replacement(key: str, position: int, **fields: object) -> Command:
    where = {"_id": key, "_position": {"$lt": position}}
    return {"q": where, "u": document(key, position, **fields), "upsert": True}


@pytest.mark.parametrize("ordered", [True, False])
def test_duplicates_within_a_bulk_and_beyond_a_batch(fast: ReadStoreServer, plain: ReadStoreServer, ordered: bool):
    many = [f"k{n}" for n in range(300)]
    twice = [document(key, 1, lines=[{"n": 1}]) for key in [*many, *many[:5]]]
    again = [replacement(key, 1 + n % 3, of="é") for n, key in enumerate([*many, "new", *many[:9]])]
    check(
        fast,
        plain,
        [
            {"insert": COLLECTION, "documents": twice, "ordered": ordered},
            {"update": COLLECTION, "updates": again, "ordered": ordered},
            {"find": COLLECTION, "filter": {"_id": {"$in": many[:128]}}, "batchSize": 200},
            {"find": COLLECTION, "filter": {"_id": {"$in": many[:101]}}},
        ],
    )
