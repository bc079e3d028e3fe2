"""Who may use the services beside the streams: operators manage, users look and consume."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from access_support import as_user, users_file
from esdbclient.protos.Grpc import persistent_pb2, persistent_pb2_grpc, streams_pb2_grpc
from node_support import EMPTY, append_requests, endless, event, messages, stream_id
from persistent_support import Stub, named, settings

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.security.security import Security

OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
ReadReq = persistent_pb2.ReadReq


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        EventStoreNode(security=Security(users=users_file(tmp_path))) as node,
        grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel,
    ):
        yield channel


@pytest.fixture
def groups(channel: grpc.aio.Channel) -> Stub:
    return persistent_pb2_grpc.PersistentSubscriptionsStub(channel)


async def status(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as end:
        return end.code()
    return OK


async def append(channel: grpc.aio.Channel, stream: str, data: bytes = b"{}") -> None:
    stub = streams_pb2_grpc.StreamsStub(channel)
    await stub.Append(iter(append_requests(stream, [event(data=data)])), metadata=as_user("admin"))


def create(groups: Stub, user: str, stream: str | None = "s") -> Any:
    options = persistent_pb2.CreateReq.Options(group_name="g", settings=settings())
    if stream is None:
        options.all.CopyFrom(persistent_pb2.CreateReq.AllOptions(start=EMPTY))
    else:
        options.stream.CopyFrom(
            persistent_pb2.CreateReq.StreamOptions(stream_identifier=stream_id(stream), start=EMPTY)
        )
    return groups.Create(persistent_pb2.CreateReq(options=options), metadata=as_user(user))


async def consume(groups: Stub, user: str, stream: str | None = "s") -> None:
    """One event of the group, after the confirmation."""
    options = named(ReadReq.Options, stream, buffer_size=10, uuid_option={"string": EMPTY})
    done = asyncio.Event()
    call = groups.Read(endless([ReadReq(options=options)], done), metadata=as_user(user))
    assert len(await messages(call, 2)) == 2
    done.set()
    call.cancel()


async def test_operators_manage_groups_and_users_look(groups: Stub) -> None:
    get_info = persistent_pb2.GetInfoReq(options=named(persistent_pb2.GetInfoReq.Options))
    delete = persistent_pb2.DeleteReq(options=named(persistent_pb2.DeleteReq.Options))
    everything = persistent_pb2.ListReq(options={"list_all_subscriptions": EMPTY})
    assert await status(create(groups, "ann")) is DENIED
    assert await status(create(groups, "ops")) is OK
    assert await status(groups.GetInfo(get_info, metadata=as_user("ann"))) is OK
    assert await status(groups.List(everything, metadata=as_user("ann"))) is OK
    assert await status(groups.List(everything)) is DENIED
    assert await status(groups.Delete(delete, metadata=as_user("ann"))) is DENIED
    assert await status(groups.Delete(delete, metadata=as_user("admin"))) is OK


async def test_consumers_need_to_be_allowed_to_read(channel: grpc.aio.Channel, groups: Stub) -> None:
    await append(channel, "s")
    for stream in ("s", None):
        assert await status(create(groups, "admin", stream)) is OK
    assert await status(consume(groups, "ann")) is OK
    assert await status(consume(groups, "ann", None)) is DENIED
    assert await status(consume(groups, "admin", None)) is OK
    await append(channel, "$$s", json.dumps({"$acl": {"$r": "bob"}}).encode())
    assert await status(consume(groups, "ann")) is DENIED


@pytest.mark.parametrize(
    ("method", "user", "allowed"),
    [
        ("operations.Operations/MergeIndexes", "ops", True),
        ("operations.Operations/MergeIndexes", "admin", True),
        ("operations.Operations/MergeIndexes", "ann", False),
        ("operations.Operations/StartScavenge", "ann", False),
        ("operations.Operations/Shutdown", "ann", False),
        ("operations.Operations/Shutdown", None, False),
        ("projections.Projections/Enable", "ann", True),
        ("projections.Projections/Enable", None, False),
        ("projections.Projections/RestartSubsystem", "ann", False),
        ("server_features.ServerFeatures/GetSupportedMethods", None, True),
    ],
)
async def test_methods(channel: grpc.aio.Channel, method: str, user: str | None, allowed: bool) -> None:
    call = channel.unary_unary(f"/event_store.client.{method}")(b"", metadata=as_user(user) if user else ())
    assert (await status(call) is not DENIED) == allowed


async def test_statistics_stream_through_the_guard(channel: grpc.aio.Channel) -> None:
    stats = channel.unary_stream("/event_store.client.monitoring.Monitoring/Stats")(b"")
    assert b"proc-id" in await stats.read()
    stats.cancel()


async def test_infos_name_the_user_of_a_connection(channel: grpc.aio.Channel, groups: Stub) -> None:
    await create(groups, "admin")
    options = named(ReadReq.Options, buffer_size=1, uuid_option=ReadReq.Options.UUIDOption(string=EMPTY))
    reading = groups.Read(endless([ReadReq(options=options)], asyncio.Event()), metadata=as_user("ann"))
    await reading.read()
    of_group = persistent_pb2.GetInfoReq(options=named(persistent_pb2.GetInfoReq.Options))
    info = (await groups.GetInfo(of_group, metadata=as_user("ann"))).subscription_info
    reading.cancel()

    assert [one.username for one in info.connections] == ["ann"]
