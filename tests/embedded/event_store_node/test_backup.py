"""Backup and restore: consistent while the node runs, refused rather than destructive."""

import asyncio
import errno
import os
import shutil
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from node_support import NodeProcess, connected, event, events

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.main import main
from embedded.event_store_node.maintenance import copying
from ops.cli import main as eventfold


async def fill(data_dir: Path, count: int = 20) -> None:
    async with EventStoreNode(data_dir) as node, connected(node.uri) as client:
        await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(count))


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    """A data directory with a log that no node uses."""
    await fill(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def backup(data_dir: Path, tmp_path: Path) -> Path:
    assert main(["backup", "--data-dir", str(data_dir), "--to", str(tmp_path / "backup")]) == 0
    return tmp_path / "backup"


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if not path.is_dir()}


# What it is for


async def log_of(client: AsyncEventStoreDBClient) -> list[UUID]:
    return [e.id async for e in await client.read_all(filter_exclude=())]


async def test_a_backup_under_concurrent_writers_is_a_prefix_with_all_acknowledged_before(
    node_process: NodeProcess, tmp_path: Path
) -> None:
    node_process.start()
    acknowledged: list[UUID] = []
    enough, stopped = asyncio.Event(), asyncio.Event()

    async def write(client: AsyncEventStoreDBClient, stream: str) -> None:
        version: StreamState | int = StreamState.NO_STREAM
        while not stopped.is_set():
            new = event(data=os.urandom(200))
            position = await client.append_to_stream(stream, current_version=version, events=[new])
            assert position
            version = 0 if version is StreamState.NO_STREAM else int(version) + 1
            acknowledged.append(new.id)
            if len(acknowledged) >= 300:
                enough.set()

    async with connected(node_process.uri) as client:
        writers = [asyncio.create_task(write(client, f"s-{n}")) for n in range(8)]
        await enough.wait()
        before = set(acknowledged)
        arguments = ["backup", "--data-dir", str(node_process.data_dir), "--to", str(tmp_path / "b")]
        assert await asyncio.to_thread(main, arguments) == 0
        stopped.set()
        await asyncio.gather(*writers)
        whole = await log_of(client)

    assert main(["restore", "--from", str(tmp_path / "b"), "--data-dir", str(tmp_path / "restored")]) == 0
    async with EventStoreNode(tmp_path / "restored") as restored, connected(restored.uri) as client:
        copy = await log_of(client)
        assert before <= set(copy)
        assert copy == whole[: len(copy)]
        last = await client.get_stream("s-0", backwards=True, limit=1)
        await client.append_to_stream("s-0", current_version=last[0].stream_position, events=[event()])


async def test_the_log_of_a_killed_node_can_be_backed_up(
    node_process: NodeProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node_process.start()
    async with connected(node_process.uri) as client:
        await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(5))
    node_process.kill()

    assert main(["backup", "--data-dir", str(node_process.data_dir), "--to", str(tmp_path / "b")]) == 0
    assert "7 events" in capsys.readouterr().out
    assert main(["verify", "--data-dir", str(node_process.data_dir)]) == 0
    node_process.start()
    async with connected(node_process.uri) as client:
        assert len(await client.get_stream("s")) == 5


def test_a_backup_is_one_file_that_reading_leaves_as_it_is(backup: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    tmp_path.chmod(0o500)
    try:
        assert main(["verify", "--file", str(backup)]) == 0
    finally:
        tmp_path.chmod(0o700)
    assert files(tmp_path) == before
    assert list(before) == ["backup"]


async def test_a_backup_copied_into_place_by_hand_works_too(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "by-hand").mkdir()
    shutil.copyfile(backup, tmp_path / "by-hand" / "events.db")
    async with EventStoreNode(tmp_path / "by-hand") as node, connected(node.uri) as client:
        assert len(await client.get_stream("s")) == 20
        mode = node._log._connections[0].execute("PRAGMA journal_mode").fetchone()
    assert mode == ("wal",)


async def test_an_older_backup_is_replaced_when_asked(data_dir: Path, backup: Path) -> None:
    async with EventStoreNode(data_dir) as node, connected(node.uri) as client:
        await client.append_to_stream("t", current_version=StreamState.NO_STREAM, events=events(3))
        assert main(["backup", "--data-dir", str(data_dir), "--to", str(backup), "--force"]) == 0
    assert sqlite3.connect(backup).execute("SELECT count(*) FROM event").fetchone() == (25,)


def test_the_operator_is_told(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = str(tmp_path / "b")
    assert eventfold(["node", "backup", "--data-dir", str(data_dir), "--to", copy]) == 0
    assert eventfold(["node", "verify", "--file", copy]) == 0
    assert eventfold(["node", "restore", "--from", copy, "--data-dir", str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(f"{copy}: 22 events, last position ")
    assert told[1].startswith(f"{copy}: sound, 22 events in 3 streams, last position ")
    assert told[2].startswith(f"{tmp_path / 'new'}: 22 events, last position ")


# What is refused


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def test_backups_that_are_refused(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").write_text("notes")
    target = tmp_path / "b"
    before = files(data_dir)

    assert "there is no data directory" in refused(capsys, "backup", "--data-dir", tmp_path / "no", "--to", target)
    assert "holds no log" in refused(capsys, "backup", "--data-dir", tmp_path / "empty", "--to", target)
    assert "exists already; it was left as it is" in refused(
        capsys, "backup", "--data-dir", data_dir, "--to", tmp_path / "taken"
    )
    assert "cannot be written: No such file or directory" in refused(
        capsys, "backup", "--data-dir", data_dir, "--to", tmp_path / "no" / "b"
    )
    assert "is the log of a data directory" in refused(
        capsys, "backup", "--data-dir", data_dir, "--to", data_dir / "events.db", "--force"
    )
    assert (tmp_path / "taken").read_text() == "notes"
    assert files(data_dir)["events.db"] == before["events.db"]
    assert not target.exists()
    assert files(tmp_path).keys() == {"taken"}


@pytest.mark.parametrize("what", ["text", "foreign", "newer", "truncated"])
def test_logs_that_are_not_backed_up(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    path = data_dir / "events.db"
    match what:
        case "text":
            path.write_text("important notes " * 100)
            said = "not an SQLite database"
        case "foreign":
            path.unlink()
            sqlite3.connect(path).execute("CREATE TABLE theirs (x)").connection.close()
            said = "application id 0"
        case "newer":
            sqlite3.connect(path).execute("PRAGMA user_version = 99").connection.close()
            said = "has schema version 99"
        case _:
            path.write_bytes(path.read_bytes()[:-4096])
            said = "is damaged"
    assert said in refused(capsys, "backup", "--data-dir", data_dir, "--to", tmp_path / "b")
    assert said in refused(capsys, "verify", "--data-dir", data_dir)
    assert said in refused(capsys, "restore", "--from", path, "--data-dir", tmp_path / "new")
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("full")])
def test_a_copy_that_fails_leaves_nothing(
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(copying, "_give_name", fail)
    (tmp_path / "b").write_bytes(b"the last one")
    said = refused(capsys, "backup", "--data-dir", data_dir, "--to", tmp_path / "b", "--force")
    assert "No space left on device" in said or "full" in said
    assert files(tmp_path) == {"b": b"the last one"}


def test_a_file_system_without_links(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert main(["backup", "--data-dir", str(data_dir), "--to", str(tmp_path / "b")]) == 0
    assert files(tmp_path).keys() == {"b"}


async def test_restores_that_are_refused(backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file or directory" in refused(
        capsys, "restore", "--from", tmp_path / "no", "--data-dir", tmp_path / "new"
    )
    for name in ("events.db", "events.db-wal"):
        directory = tmp_path / f"holds-{name}"
        directory.mkdir()
        (directory / name).write_bytes(b"old")
        said = refused(capsys, "restore", "--from", backup, "--data-dir", directory)
        assert f"holds a log already ({name})" in said
        assert (directory / name).read_bytes() == b"old"
    async with EventStoreNode(tmp_path / "used") as node:
        assert node.data_dir is not None
        assert "is in use by another event store node" in refused(
            capsys, "restore", "--from", backup, "--data-dir", node.data_dir
        )
    (tmp_path / "file").write_text("")
    assert "cannot be used" in refused(capsys, "restore", "--from", backup, "--data-dir", tmp_path / "file" / "d")
    assert not (tmp_path / "new").exists()


def test_a_damaged_backup_is_not_restored(backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection = sqlite3.connect(backup)
    connection.execute("DELETE FROM event WHERE revision = 7")
    connection.commit()
    connection.close()

    said = refused(capsys, "restore", "--from", backup, "--data-dir", tmp_path / "new")
    assert "is damaged and was not restored: stream 's': revision 7 is missing" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "arguments", [["backup"], ["backup", "--to", "x"], ["restore", "--from", "x"], ["verify"], ["frobnicate"], []]
)
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_what_a_killed_backup_left_is_in_nobodys_way(data_dir: Path, tmp_path: Path) -> None:
    """In a container, each process may have the same number."""
    left = tmp_path / f"b.{os.getpid()}.unfinished"
    left.write_text("left")
    assert main(["backup", "--data-dir", str(data_dir), "--to", str(tmp_path / "b")]) == 0
    assert left.read_text() == "left"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", left.name, "data"]
