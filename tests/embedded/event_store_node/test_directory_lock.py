"""Temporary directories of nodes that were killed go when the next one starts; nothing else does."""

import os
import tempfile
from pathlib import Path

import pytest
from esdbclient import EventStoreDBClient, StreamState
from node_support import NodeProcess, event

from embedded.event_store_node.log.database import Database


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files, also of the processes that are started."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return directory


@pytest.fixture
def left(temporary: Path) -> Path:
    """What a killed node left."""
    node = NodeProcess(temporary, "--in-memory")
    node.start()
    with EventStoreDBClient(node.uri) as client:
        client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
    node.kill()
    (directory,) = temporary.iterdir()
    return directory


def test_the_next_node_removes_it(left: Path) -> None:
    database = Database(None)
    assert not left.exists()
    assert [*left.parent.iterdir()] == [database.directory]
    database.close()
    assert not [*left.parent.iterdir()]


def test_a_node_with_a_data_directory_does_not(left: Path, tmp_path: Path) -> None:
    Database(tmp_path / "data").close()
    assert (left / "events.db").exists()


def test_nodes_that_run_keep_theirs(temporary: Path) -> None:
    databases = [Database(None) for _ in range(3)]
    assert len([*temporary.iterdir()]) == 3
    for database in databases:
        database.close()


def test_one_that_was_rescued_stays(left: Path) -> None:
    """Somebody took it as a data directory."""
    Database(left).close()
    Database(None).close()
    assert (left / "events.db").exists()


@pytest.mark.parametrize("what", ["no lock", "an empty lock", "a link", "another name", "another user's"])
def test_what_is_not_known_for_certain_stays(left: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = left
    match what:
        case "no lock":
            (left / "lock").unlink()
        case "an empty lock":
            (left / "lock").write_text("")
        case "a link":
            kept = left.parent.parent / "elsewhere"
            left.rename(kept)
            left.symlink_to(kept)
        case "another name":
            kept = left.rename(left.with_name("data"))
        case "another user's":
            monkeypatch.setattr(os, "geteuid", lambda: 12345)
    Database(None).close()
    assert (kept / "events.db").exists()
