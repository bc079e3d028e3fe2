"""What a killed process left half made is cleared by the next one; what a living one is making is not."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from node_support import ROOT

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.events import ANY, BINARY_CONTENT_TYPE, ProposedEvent
from embedded.event_store_node.log.log import Log
from embedded.event_store_node.log.unfinished import unfinished_file
from embedded.event_store_node.log.writes import Kind, WriteRequest
from embedded.event_store_node.main import main
from embedded.event_store_node.security import users

MIB = 2**20
EVENTS = 20


@pytest.fixture(scope="module")
def large_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose log takes a while to copy."""
    data_dir = tmp_path_factory.mktemp("large") / "data"
    database = Database(data_dir)
    connection = database.connect(cache_mib=2)
    log = Log(connection)
    for _ in range(EVENTS):
        event = ProposedEvent(os.urandom(16), "Happened", BINARY_CONTENT_TYPE, b"", os.urandom(MIB - 100))
        log.write([WriteRequest(Kind.APPEND, "s", ANY, [event], lambda _: None)])
    connection.close()
    database.close()
    return data_dir


def node(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "embedded.event_store_node", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.001)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def left_in(directory: Path) -> set[str]:
    return {name for name in names(directory) if name.endswith(".unfinished")}


def half_made(directory: Path, size: int) -> bool:
    """Whether a file of at least this size is being made, or was."""
    try:
        return any(path.stat().st_size >= size for path in directory.glob("*.unfinished/file"))
    except FileNotFoundError:  # removed meanwhile
        return False


def kill_when_half_made(process: "subprocess.Popen[bytes]", directory: Path, size: int) -> bool:
    """SIGKILL; returns whether it came in time."""
    try:
        until(lambda: half_made(directory, size) or process.poll() is not None)
        return process.poll() is None
    finally:
        process.kill()
        process.wait()


def until_cleared(left: set[str], folder: Path, process: "subprocess.Popen[bytes]") -> None:
    until(lambda: not left & left_in(folder) or process.poll() is not None)


def killed_rounds(rounds: int, large_log: Path, folder: Path) -> None:
    chance = random.Random(rounds)
    killed = 0
    left: set[str] = set()
    for number in range(rounds):
        backup = node("backup", "--data-dir", large_log, "--to", folder / f"b-{number % 3}", "--force")
        until_cleared(left, folder, backup)
        killed += kill_when_half_made(backup, folder, chance.choice([0, 1, chance.randrange(EVENTS * MIB)]))
        left = left_in(folder)
        assert len(left) <= 1
    assert killed > 0
    for name in names(folder) - left_in(folder):
        assert main(["verify", "--file", str(folder / name)]) == 0
    assert main(["backup", "--data-dir", str(large_log), "--to", str(folder / "last")]) == 0
    assert main(["verify", "--file", str(folder / "last")]) == 0
    assert names(folder) <= {"b-0", "b-1", "b-2", "last"}


def test_killed_backups_leave_nothing_that_the_next_one_does_not_clear(large_log: Path, tmp_path: Path) -> None:
    killed_rounds(3, large_log, tmp_path)


@pytest.mark.slow
def test_killed_backups_many_times(large_log: Path, tmp_path: Path) -> None:
    killed_rounds(100, large_log, tmp_path)


def test_a_living_backup_beside_is_left_alone(large_log: Path, tmp_path: Path) -> None:
    first = node("backup", "--data-dir", large_log, "--to", tmp_path / "first")
    until(lambda: half_made(tmp_path, 1))
    first.send_signal(signal.SIGSTOP)
    try:
        assert main(["backup", "--data-dir", str(large_log), "--to", str(tmp_path / "second")]) == 0
        assert len(left_in(tmp_path)) == 1
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 0
    assert names(tmp_path) == {"first", "second"}
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_restore_clears_what_a_killed_one_left(large_log: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert main(["backup", "--data-dir", str(large_log), "--to", str(tmp_path / "b")]) == 0
    assert kill_when_half_made(node("restore", "--from", tmp_path / "b", "--data-dir", data_dir), data_dir, 1)
    assert main(["restore", "--from", str(tmp_path / "b"), "--data-dir", str(data_dir)]) == 0
    assert names(data_dir) == {"lock", "events.db"}


@contextmanager
def making(target: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that is making a file, killed at the end."""
    code = """
import sys
from pathlib import Path
from embedded.event_store_node.log.unfinished import unfinished_file
with unfinished_file(Path(sys.argv[1])) as path:
    path.write_text("half")
    print("making", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "making\n"
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_a_node_clears_what_a_killed_restore_left(tmp_path: Path) -> None:
    with making(tmp_path / "events.db"):
        pass
    assert left_in(tmp_path)
    async with EventStoreNode(tmp_path):
        assert not left_in(tmp_path)


def test_users_are_saved_over_what_a_killed_one_left(tmp_path: Path) -> None:
    file = tmp_path / "users"
    with making(file):
        users.save(file, {})
        assert len(left_in(tmp_path)) == 1
    users.save(file, {})
    assert names(tmp_path) == {"users"}
    assert file.stat().st_mode & 0o777 == 0o600


def test_cut_off_at_any_step_it_is_cleared(tmp_path: Path) -> None:
    """Killed before the lock was there, before the file was, or while a leftover was being removed."""
    for name, inside in (("a", []), ("b", ["event-store-node.lock"]), ("c", ["event-store-node.lock", "file"])):
        directory = tmp_path / f"{name}.abcdefg_.unfinished"
        directory.mkdir()
        for one in inside:
            (directory / one).touch()
    with unfinished_file(tmp_path / "x"):
        assert len(left_in(tmp_path)) == 1
    assert names(tmp_path) == set()


def test_what_somebody_else_made_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.unfinished").write_text("notes")
    (tmp_path / "b.abcdefgh.unfinished").write_text("a file")
    (tmp_path / "theirs.abcdefgh.unfinished").mkdir()
    (tmp_path / "theirs.abcdefgh.unfinished" / "chapter").write_text("one")
    (tmp_path / "empty.unfinished").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "event-store-node.lock").touch()
    (tmp_path / "link.abcdefgh.unfinished").symlink_to(tmp_path / "elsewhere")
    before = names(tmp_path)
    with unfinished_file(tmp_path / "x"):
        pass
    assert names(tmp_path) == before
    assert (tmp_path / "theirs.abcdefgh.unfinished" / "chapter").read_text() == "one"
    assert names(tmp_path / "elsewhere") == {"event-store-node.lock"}
