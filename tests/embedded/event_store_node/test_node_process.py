"""The node as a process: start, refusal to start, end."""

import asyncio
import os
import signal
import socket
import sqlite3
from pathlib import Path

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, StreamState
from esdbclient.exceptions import ServiceUnavailable
from esdbclient.protos.Grpc import streams_pb2_grpc
from node_support import NodeProcess, batch_request, connected, endless, event, events, messages

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.listening import PortTakenError
from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.directory_lock import DataDirectoryError
from embedded.event_store_node.main import main
from embedded.event_store_node.scavenge.history import ScavengeHistory


async def test_it_says_when_it_is_ready(node_process: NodeProcess) -> None:
    line = node_process.start()

    expected = f"event store node ready on 127.0.0.1:{node_process.port} (data in {node_process.data_dir})\n"
    assert line == expected


async def test_what_was_written_is_there_after_a_restart(node_process: NodeProcess) -> None:
    node_process.start()
    async with connected(node_process.uri) as client:
        await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(3))
        before = await client.get_stream("s")
    assert node_process.terminate() == (0, "")
    node_process.start()
    async with connected(node_process.uri) as client:
        assert await client.get_stream("s") == before
        await client.append_to_stream("s", current_version=2, events=[event()])


def test_a_node_in_memory_keeps_nothing(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path, "--in-memory")
    for _ in range(2):
        place = node.start().rpartition("(data in ")[2].rstrip(")\n")
        assert os.listdir(place)
        with EventStoreDBClient(node.uri) as client:
            client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
        assert node.terminate() == (0, "")
        assert not os.path.exists(place)
    assert not os.listdir(tmp_path)


# Refusals


def test_a_taken_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["--port", str(port), "--data-dir", str(tmp_path)]
        code = main(arguments)

    assert code == 1
    assert capsys.readouterr().err == (f"event store node: 127.0.0.1:{port} cannot be listened on: the port is taken\n")


async def test_a_port_taken_by_another_node(node: EventStoreNode) -> None:
    with pytest.raises(PortTakenError, match="the port is taken"):
        await EventStoreNode(port=node.port).start()


async def test_a_second_process_on_a_data_directory(node_process: NodeProcess) -> None:
    node_process.start()
    second = node_process.popen()
    output, errors = await asyncio.to_thread(second.communicate, timeout=20)

    assert node_process.process is not None
    assert (second.returncode, output) == (1, "")
    assert f"is in use by another event store node (process {node_process.process.pid})" in errors


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryError, match="cannot be used"):
        Database(tmp_path / "file" / "data")


def some_events(directory: Path, count: int = 2000) -> bytes:
    """Fill a data directory. Returns the file's content."""

    async def fill() -> None:
        async with EventStoreNode(directory) as node, connected(node.uri) as client:
            for n in range(0, count, 500):
                await client.append_to_stream(f"s-{n}", current_version=StreamState.ANY, events=events(500))

    asyncio.run(fill())
    return (directory / "events.db").read_bytes()


@pytest.mark.parametrize("what", ["text", "short", "foreign", "newer", "truncated", "garbled"])
def test_files_that_are_refused_are_left_as_they_are(tmp_path: Path, what: str) -> None:
    path = tmp_path / "events.db"
    match what:
        case "text":
            path.write_text("important notes " * 100)
        case "short":
            path.write_bytes(b"SQLite format 3\0")
        case "foreign":
            sqlite3.connect(path).execute("CREATE TABLE theirs (x)").connection.close()
        case "newer":
            some_events(tmp_path, 1)
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version = 99")
            connection.close()
        case "truncated":
            path.write_bytes(some_events(tmp_path)[: 64 * 1024])
        case "garbled":
            content = bytearray(some_events(tmp_path))
            content[40960:45056] = b"\xa5" * 4096
            path.write_bytes(content)
    before = path.read_bytes()

    with pytest.raises(DataDirectoryError, match="it was left as it is"):
        Database(tmp_path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.db", "lock"]


def test_an_unfinished_new_file_is_made_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "events.db.abcdefgh.unfinished"
    unfinished.mkdir()
    for name in ("event-store-node.lock", "file", "file-journal"):
        (unfinished / name).write_bytes(b"half")

    Database(tmp_path).close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.db", "lock"]


def test_a_data_directory_is_free_again_after_a_failed_start(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_text("x" * 200)
    for _ in range(2):
        with pytest.raises(DataDirectoryError, match="not an SQLite database"):
            Database(tmp_path)


async def test_a_log_that_fails_the_services_is_refused_and_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: ScavengeHistory) -> None:
        raise sqlite3.DatabaseError("malformed")

    with monkeypatch.context() as patch:
        patch.setattr(ScavengeHistory, "close_interrupted", fails)
        with pytest.raises(DataDirectoryError, match="cannot be read: malformed"):
            await EventStoreNode(tmp_path).start()
    Database(tmp_path).close()


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_soon_with_everything_open(node_process: NodeProcess, number: signal.Signals) -> None:
    node_process.start()
    assert node_process.process is not None
    done = asyncio.Event()
    async with (
        connected(node_process.uri) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{node_process.port}") as channel,
    ):
        to_all = await client.subscribe_to_all()
        to_stream = await client.subscribe_to_stream("s")
        batches = streams_pb2_grpc.StreamsStub(channel).BatchAppend(endless([batch_request("s", [event()])], done))
        assert len(await messages(batches, 1)) == 1
        for subscription in (to_all, to_stream):
            await anext(subscription)

        node_process.process.send_signal(number)
        for subscription in (to_all, to_stream):
            with pytest.raises(ServiceUnavailable, match="shutting down"):
                await anext(subscription)
        with pytest.raises(grpc.aio.AioRpcError) as end:
            await messages(batches)
        assert end.value.code() is grpc.StatusCode.UNAVAILABLE
        # It waits for nobody: the calls are open for as long as the block.
        assert await asyncio.to_thread(node_process.process.wait, 60) == 0
        done.set()
    assert node_process.process.stderr is not None
    assert node_process.process.stderr.read() == ""


async def test_writes_in_hand_are_answered_or_not_written(node_process: NodeProcess) -> None:
    node_process.start()
    written: set[int] = set()
    enough = asyncio.Event()

    async def write(n: int, client: AsyncEventStoreDBClient) -> None:
        streams = client._connection.streams  # without the client's own retries
        await streams.batch_append(f"s-{n}", StreamState.NO_STREAM, [event()])
        written.add(n)
        if len(written) >= 20:
            enough.set()

    async with connected(node_process.uri) as client:
        writes = [asyncio.create_task(write(n, client)) for n in range(200)]
        await enough.wait()
        assert (await asyncio.to_thread(node_process.terminate))[0] == 0
        await asyncio.gather(*writes, return_exceptions=True)
    node_process.start()
    async with connected(node_process.uri) as client:
        kept = {int(e.stream_name[2:]) async for e in await client.read_all()}
    assert written <= kept
