"""What the node tells clients of other languages about itself: methods, features, figures."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from node_support import event

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.services.protobuf_messages import StatsReq, StatsResp, SupportedMethods

PACKAGE = "event_store.client"


async def supported(node: EventStoreNode) -> Any:
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        return await channel.unary_unary(
            f"/{PACKAGE}.server_features.ServerFeatures/GetSupportedMethods",
            response_deserializer=SupportedMethods.FromString,
        )(b"")


async def test_methods_and_features(node: EventStoreNode) -> None:
    answer = await supported(node)

    assert answer.event_store_server_version == "24.10.0"
    features = {
        f"{method.service_name.removeprefix(PACKAGE + '.')}/{method.method_name}": tuple(method.features)
        for method in answer.methods
    }
    assert features["streams.streams/read"] == ("position", "events")
    assert features["streams.streams/batchappend"] == ("deadline_duration",)
    assert features["streams.streams/tombstone"] == ()
    assert features["persistent_subscriptions.persistentsubscriptions/list"] == ("stream", "all")
    assert {
        "server_features.serverfeatures/getsupportedmethods",
        "gossip.gossip/read",
        "projections.projections/statistics",
        "projections.projections/restartsubsystem",
        "operations.operations/startscavenge",
        "monitoring.monitoring/stats",
    } <= features.keys()
    assert "projections.projections/create" not in features
    assert len(features) == len(answer.methods)


async def test_every_method_listed_is_served_and_no_other(node: EventStoreNode) -> None:
    """Told apart by what a message that nobody can read is answered with."""
    listed = {f"/{m.service_name}/{m.method_name}" for m in (await supported(node)).methods}
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        for service, method in [
            ("streams.Streams", "Delete"),
            ("projections.Projections", "Enable"),
            ("projections.Projections", "Create"),
            ("operations.Operations", "SetNodePriority"),
            ("persistent_subscriptions.PersistentSubscriptions", "List"),
            ("redaction.Redaction", "SwitchChunks"),
        ]:
            path = f"/{PACKAGE}.{service}/{method}"
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await channel.unary_unary(path)(b"\xff")
            is_served = refusal.value.code() is not grpc.StatusCode.UNIMPLEMENTED
            assert is_served == (path.lower() in listed)


async def test_only_what_is_served_is_listed() -> None:
    async with EventStoreNode(run_projections=False) as node:
        services = {method.service_name for method in (await supported(node)).methods}

    assert f"{PACKAGE}.projections.projections" not in services
    assert f"{PACKAGE}.streams.streams" in services


def test_the_messages_on_the_wire() -> None:
    """Against bytes written by hand after the protocol's own files: a wrong field number shows here."""
    request = StatsReq.FromString(b"\x08\x01\x20\xf4\x03")
    assert (request.use_metadata, request.refresh_time_period_in_ms) == (True, 500)
    assert StatsResp(stats={"a": "b"}).SerializeToString() == b"\x0a\x06\x0a\x01a\x12\x01b"
    answer = SupportedMethods(event_store_server_version="24")
    answer.methods.add(method_name="m", service_name="s", features=["f"])
    assert answer.SerializeToString() == b"\x0a\x09\x0a\x01m\x12\x01s\x1a\x01f\x12\x0224"


async def test_figures(node: EventStoreNode, client: AsyncEventStoreDBClient) -> None:
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        call = channel.unary_stream(
            f"/{PACKAGE}.monitoring.Monitoring/Stats",
            request_serializer=StatsReq.SerializeToString,
            response_deserializer=StatsResp.FromString,
        )(StatsReq(refresh_time_period_in_ms=1))
        first = (await call.read()).stats
        position = await client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])
        async with asyncio.timeout(10):
            while (await call.read()).stats["es-checksum"] != str(position):
                pass
        call.cancel()

    assert 0 < int(first["es-checksum"]) < position
    assert int(first["proc-mem"]) > 0
    assert int(first["proc-id"]) > 0


async def test_figures_end_with_the_node() -> None:
    async with EventStoreNode() as node:
        channel = grpc.aio.insecure_channel(f"{node.host}:{node.port}")
        call = channel.unary_stream(f"/{PACKAGE}.monitoring.Monitoring/Stats")(b"\x20\xff\xff\xff\x7f")
        assert await call.read() is not grpc.aio.EOF
    with pytest.raises(grpc.aio.AioRpcError) as end:
        await call.read()
    assert end.value.code() is grpc.StatusCode.UNAVAILABLE
    await channel.close()
