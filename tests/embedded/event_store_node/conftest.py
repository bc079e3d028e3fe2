"""A node in this process for most tests, and a node as a process of its own for the rest."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient
from esdbclient.protos.Grpc import persistent_pb2_grpc, streams_pb2_grpc
from node_support import NodeProcess
from projections_support import ProjectionsStub, projections_at

from embedded.event_store_node import EventStoreNode


@pytest.fixture
async def node() -> AsyncIterator[EventStoreNode]:
    async with EventStoreNode() as node:
        yield node


@pytest.fixture
async def client(node: EventStoreNode) -> AsyncIterator[AsyncEventStoreDBClient]:
    client = AsyncEventStoreDBClient(node.uri)
    await client.connect()
    yield client
    await client.close()


@pytest.fixture
async def stub(node: EventStoreNode) -> AsyncIterator[streams_pb2_grpc.StreamsStub]:
    """The generated stub, for what the client library cannot ask or hides."""
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        yield streams_pb2_grpc.StreamsStub(channel)


@pytest.fixture
async def projections(node: EventStoreNode) -> AsyncIterator[ProjectionsStub]:
    async with projections_at(f"{node.host}:{node.port}") as stub:
        yield stub


@pytest.fixture
async def groups(node: EventStoreNode) -> AsyncIterator[persistent_pb2_grpc.PersistentSubscriptionsStub]:
    """The generated stub of the persistent subscriptions."""
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        yield persistent_pb2_grpc.PersistentSubscriptionsStub(channel)


@pytest.fixture
def node_process(tmp_path: Path) -> Iterator[NodeProcess]:
    """A node that can be killed; not started yet."""
    process = NodeProcess(tmp_path / "data")
    yield process
    process.kill()
