"""The MongoDB stand-in, started for real."""

import asyncio
from pathlib import Path

import pytest

from embedded.read_store_node import DataDirectoryInUse, ReadStoreNode
from embedded.supervisor.ports import free_ports
from embedded.supervisor.readiness import NotReady, until_ready
from infrastructure.read_store import ReadStore, Write


@pytest.fixture
def node(tmp_path: Path) -> ReadStoreNode:
    return ReadStoreNode(tmp_path / "read-store", free_ports("127.0.0.1", 1)[0])


async def serves(node: ReadStoreNode) -> None:
    """Asked once, a busy machine may not answer in the second that one question has."""
    async with asyncio.timeout(60):
        await until_ready(node.ready)


async def test_an_acknowledged_write_survives_sigkill_and_a_stale_pid_file(node: ReadStoreNode) -> None:
    store = ReadStore(node.uri, "eventfold")
    async with node.running() as server:
        await store.write("things", [Write("a", 7, {"colour": "red"})])
        server.kill()
        await server.wait()
    pid_file = node.data_dir / "nx-27017.pid"
    assert pid_file.exists(), "a killed server leaves its pid file"
    pid_file.write_text("1")  # as if the pid belonged to another process by now
    async with node.running():
        found = await store.load("things", ["a"])
    await store.close()
    assert found["a"].fields == {"colour": "red"}


async def test_one_server_for_each_data_directory(node: ReadStoreNode) -> None:
    other = ReadStoreNode(node.data_dir, free_ports("127.0.0.1", 1)[0])
    async with node.running():
        with pytest.raises(DataDirectoryInUse):
            async with other.running():
                pytest.fail("the block must not be entered")
        await serves(node)
    async with other.running():
        await serves(other)


async def test_not_ready_before_it_runs(node: ReadStoreNode) -> None:
    with pytest.raises(NotReady):
        await node.ready()
