"""What a client asks before it does anything: who leads, which persistent subscriptions there are."""

import asyncio

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, StreamState
from esdbclient.protos.Grpc import gossip_pb2, gossip_pb2_grpc, shared_pb2
from node_support import event

from embedded.event_store_node import EventStoreNode


async def test_a_cluster_of_one_leader(node: EventStoreNode) -> None:
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        reply = await gossip_pb2_grpc.GossipStub(channel).Read(shared_pb2.Empty())

    (member,) = reply.members
    assert member.state == gossip_pb2.MemberInfo.Leader
    assert member.is_alive
    assert (member.http_end_point.address, member.http_end_point.port) == (node.advertised_host, node.port)


@pytest.mark.parametrize("uri", ["esdb://{0},{0}?Tls=false", "esdb+discover://{0}?Tls=false&NodePreference=leader"])
async def test_discovery(node: EventStoreNode, uri: str) -> None:
    client = AsyncEventStoreDBClient(uri.format(f"{node.host}:{node.port}"))
    await client.connect()
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
    await client.close()


async def test_the_sync_client(node: EventStoreNode) -> None:
    def use() -> None:
        with EventStoreDBClient(f"esdb://{node.host}:{node.port},{node.host}:{node.port}?Tls=false") as client:
            assert len(client.read_gossip()) == 1
            client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])
            assert len(client.get_stream("s")) == 1
            subscription = client.subscribe_to_all()
            assert next(subscription).stream_name == "s"
            subscription.stop()

    await asyncio.to_thread(use)


async def test_no_persistent_subscriptions(client: AsyncEventStoreDBClient) -> None:
    assert await client.list_subscriptions() == []
    assert await client.list_subscriptions_to_stream("s") == []


@pytest.mark.parametrize(
    "method",
    [
        "/event_store.client.projections.Projections/Create",
    ],
)
async def test_what_is_not_offered_is_unimplemented(node: EventStoreNode, method: str) -> None:
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await channel.unary_unary(method)(b"")

    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
