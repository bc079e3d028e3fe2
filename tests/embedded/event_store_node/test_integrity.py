"""A log too large to be read at start: damage in its middle is found soon after, and nothing more is written."""

import asyncio
import sqlite3
from pathlib import Path

import grpc
import grpc.aio
import pytest
from esdbclient import StreamState
from esdbclient.protos.Grpc import gossip_pb2_grpc, shared_pb2, streams_pb2_grpc
from node_support import append_requests, connected, event, events, until
from operations_support import Operations

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log import database
from embedded.event_store_node.log.integrity import IntegrityCheck

PAGE = 4096
TABLE_LEAF = 0x0D


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_QUICK_CHECK_LIMIT", 0)


async def fill(directory: Path) -> None:
    async with EventStoreNode(directory) as node, connected(node.uri) as client:
        for n in range(4):
            await client.append_to_stream(f"s-{n}", current_version=StreamState.ANY, events=events(500))


def garble(directory: Path) -> None:
    """Overwrite three pages of rows in the middle, far from both ends of the log."""
    path = directory / "events.db"
    content = bytearray(path.read_bytes())
    leaves = [start for start in range(0, len(content), PAGE) if content[start] == TABLE_LEAF]
    for start in leaves[len(leaves) // 2 :][:3]:
        content[start : start + PAGE] = b"\xa5" * PAGE
    path.write_bytes(content)


async def is_alive(node: EventStoreNode) -> bool:
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        (member,) = (await gossip_pb2_grpc.GossipStub(channel).Read(shared_pb2.Empty())).members
    return bool(member.is_alive)


async def test_damage_is_told_and_nothing_more_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await fill(tmp_path)
    garble(tmp_path)
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:

        async def found() -> bool:
            return not await is_alive(node)

        await until(found)
        assert [record.levelname for record in caplog.records] == ["CRITICAL"]
        assert f"The event log in {tmp_path} is damaged: " in caplog.text
        async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError, match="the event log is damaged") as refusal:
                await streams_pb2_grpc.StreamsStub(channel).Append(iter(append_requests("s-0", [event()])))
            assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
        # What can be read is still there to be saved.
        assert len(await client.get_stream("s-3", backwards=True, limit=1)) == 1


async def test_a_damaged_log_is_not_scavenged(tmp_path: Path) -> None:
    await fill(tmp_path)
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
        await client.set_stream_metadata("s-0", metadata={"$maxCount": 1})
        node._refuse_writes("for this test")
        async with Operations(f"{node.host}:{node.port}") as operations:
            await operations.start()
        task = node._services.scavenger._task
        assert task is not None
        await asyncio.wait_for(asyncio.shield(task), 20)
        rows = node._log._connections[0].execute("SELECT count(*) FROM event").fetchone()
    assert rows == (2003,)


async def test_a_sound_log_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await fill(tmp_path)
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
        check = node._log._integrity_check
        assert check is not None
        await asyncio.to_thread(check._thread.join)
        await client.append_to_stream("s-0", current_version=499, events=[event()])
        assert await is_alive(node)
    assert not caplog.records


async def test_a_small_file_is_not_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_QUICK_CHECK_LIMIT", 2**20)
    async with EventStoreNode(tmp_path) as node:
        assert node._log._integrity_check is None


async def test_the_check_is_given_up_when_the_node_stops(tmp_path: Path) -> None:
    """A check that would never end, in place of one of a very large file."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    class Endless(sqlite3.Connection):
        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(endless)

    damages: list[str] = []
    connection = sqlite3.connect(tmp_path / "any", factory=Endless, check_same_thread=False)
    check = IntegrityCheck(connection, damages.append)
    await asyncio.wait_for(check.close(), 10)
    assert damages == []
