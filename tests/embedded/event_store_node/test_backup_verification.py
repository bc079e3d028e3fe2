"""Verification: sound logs pass, with every gap that a scavenge may leave; each kind of damage is found and placed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from esdbclient import StreamState
from node_support import connected, events
from operations_support import Operations

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log.database import Database
from embedded.event_store_node.main import main
from embedded.event_store_node.maintenance.verification import verify


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """A data directory whose log has a bit of everything."""
    async with EventStoreNode(tmp_path / "data") as node, connected(node.uri) as client:
        for stream in ("plain", "truncated", "counted", "aged", "deleted", "tombstoned"):
            await client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(10))
        for metadata in ({"$tb": 3}, {"$tb": 5}):
            await client.set_stream_metadata("truncated", metadata=metadata, current_version=StreamState.ANY)
        await client.set_stream_metadata("counted", metadata={"$maxCount": 4})
        await client.set_stream_metadata("aged", metadata={"$maxAge": 3600})
        await client.delete_stream("deleted", current_version=9)
        await client.append_to_stream("deleted", current_version=9, events=events(2))
        await client.tombstone_stream("tombstoned", current_version=9)
        hidden = "$persistentsubscription-$all::group-checkpoint"
        await client.append_to_stream(hidden, current_version=StreamState.ANY, events=events(1))
    return tmp_path / "data"


@pytest.fixture
def connection(log: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(log / "events.db", isolation_level=None)
    yield connection
    connection.close()


def remove(connection: sqlite3.Connection, stream: str, condition: str) -> None:
    connection.execute(
        f"DELETE FROM event WHERE stream = (SELECT id FROM stream WHERE name = ?) AND {condition}", (stream,)
    )


def test_a_sound_log(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data-dir", str(log)]) == 0
    assert ": sound, 72 events in 13 streams, last position " in capsys.readouterr().out


def test_an_empty_log() -> None:
    database = Database(None)
    connection = database.connect(1)
    assert verify(connection).problems == []
    connection.close()
    database.close()


@pytest.mark.parametrize(
    ("stream", "condition"),
    [
        ("truncated", "revision < 5"),
        ("truncated", "revision BETWEEN 2 AND 3"),
        ("counted", "revision < 6"),
        ("aged", "revision < 7"),
        ("deleted", "revision < 10"),
        ("tombstoned", "revision < 10"),
        ("$$truncated", "revision = 0"),
    ],
)
def test_gaps_that_a_scavenge_may_leave(connection: sqlite3.Connection, stream: str, condition: str) -> None:
    remove(connection, stream, condition)
    assert verify(connection).problems == []


def test_a_limit_that_was_taken_back_after_a_scavenge(connection: sqlite3.Connection) -> None:
    remove(connection, "plain", "revision < 4")
    assert verify(connection).problems == ["stream 'plain': revisions 0 to 3 are missing"]
    connection.execute("INSERT INTO stream (name) VALUES ('$scavenges-1')")
    assert verify(connection).problems == []


async def test_a_log_after_a_scavenge(log: Path) -> None:
    async with EventStoreNode(log, start_standard_projections=True) as node, connected(node.uri) as client:
        async with Operations(f"{node.host}:{node.port}") as operations:
            await operations.scavenge(client)
            # What explains the gaps is taken back, and is scavenged itself.
            for stream in ("truncated", "counted", "aged"):
                await client.set_stream_metadata(stream, metadata={}, current_version=StreamState.ANY)
            await operations.scavenge(client)
        assert (await client.get_stream("truncated"))[0].stream_position == 5
    assert main(["verify", "--data-dir", str(log)]) == 0


@pytest.mark.parametrize(
    ("stream", "condition", "problem"),
    [
        ("plain", "revision = 4", "stream 'plain': revision 4 is missing"),
        ("truncated", "revision = 6", "stream 'truncated': revision 6 is missing"),
        ("counted", "revision BETWEEN 5 AND 7", "stream 'counted': revisions 5 to 7 are missing"),
    ],
)
def test_gaps_that_mean_loss(connection: sqlite3.Connection, stream: str, condition: str, problem: str) -> None:
    remove(connection, stream, condition)
    assert verify(connection).problems == [problem]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("record = x'0a05'", "the record cannot be decoded"),
        ("record = x''", "the record cannot be decoded"),
        ("type = 'Other'", "the record has another type"),
        ("id = x'00'", "the record has another id"),
        ("created = created + 1", "the record has another time"),
        ("in_all = 0", "it is not listed in $all"),
        ("record = (SELECT record FROM event WHERE revision = 3)", "the record has another position, revision, id"),
    ],
)
def test_damaged_events(
    log: Path, connection: sqlite3.Connection, capsys: pytest.CaptureFixture[str], damage: str, problem: str
) -> None:
    where = "stream = (SELECT id FROM stream WHERE name = 'plain') AND revision = 2"
    (position,) = connection.execute(f"SELECT position FROM event WHERE {where}").fetchone()
    connection.execute(f"UPDATE event SET {damage} WHERE {where}")

    assert main(["verify", "--data-dir", str(log)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"{log / 'events.db'}: 1 problem\n  position {position}")
    assert problem in output.err


@pytest.mark.parametrize("damage", ["created = 'noon'", "record = 7", "stream = 'x'"])
def test_columns_that_hold_something_else(connection: sqlite3.Connection, damage: str) -> None:
    connection.execute(f"UPDATE event SET {damage} WHERE revision = 2 AND position % 2 = 0 OR position = 1")
    assert verify(connection).problems


def test_a_stream_without_a_name(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM stream WHERE name = 'counted'")
    problems = verify(connection).problems
    assert len(problems) == 10
    assert all("has no name" in problem for problem in problems)


def test_time_that_runs_backwards(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE event SET created = 0 WHERE position = (SELECT max(position) FROM event)")
    assert any("it is older than the event before it" in problem for problem in verify(connection).problems)


def test_endless_problems_are_cut(
    log: Path, connection: sqlite3.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    connection.execute("UPDATE event SET type = 'x', created = -position")
    assert main(["verify", "--data-dir", str(log)]) == 1
    assert ": 100 or more problems\n" in capsys.readouterr().err


async def test_a_garbled_page(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with EventStoreNode(log) as node, connected(node.uri) as client:
        for _ in range(20):
            await client.append_to_stream("more", current_version=StreamState.ANY, events=events(100))
    content = bytearray((log / "events.db").read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    (log / "events.db").write_bytes(content)

    assert main(["verify", "--data-dir", str(log)]) == 1
    assert " problem" in capsys.readouterr().err
