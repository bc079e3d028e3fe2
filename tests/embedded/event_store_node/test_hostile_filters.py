"""Filters that would keep a backtracking engine busy for ever, or the node for long, and other clients beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.protos.Grpc import streams_pb2, streams_pb2_grpc
from node_support import (
    NodeProcess,
    ReadOptions,
    append_requests,
    batch_request,
    connected,
    event,
    events,
    messages,
    read_options,
)

from embedded.event_store_node.log import reader
from embedded.event_store_node.log.events import MAX_NAME_LENGTH
from embedded.event_store_node.persistent import feed
from embedded.event_store_node.protocol import filters
from embedded.event_store_node.services import subscriptions

EXPLODING = (
    r"^(a+)+$",
    r"^(a|aa)+$",
    r"^(a|a?)+$",
    r"(.*)*!!",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(a?){40}a{40}",
    r"^(?!(a+)+$).",
)
LONG = "a" * 60 + "!"

FilterOptions = ReadOptions.FilterOptions


def by_type(regex: str) -> FilterOptions:
    return FilterOptions(event_type=FilterOptions.Expression(regex=regex), max=32, checkpointIntervalMultiplier=1)


@asynccontextmanager
async def channel_to(node: NodeProcess) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        yield channel


async def test_others_go_on_while_filters_explode(node_process: NodeProcess) -> None:
    """With a backtracking engine each of these names takes longer than the universe has existed."""
    node_process.start()
    async with connected(node_process.uri) as client, channel_to(node_process) as channel:
        stub = streams_pb2_grpc.StreamsStub(channel)
        await client.append_to_stream("hostile", current_version=StreamState.ANY, events=events(20, LONG))
        subscribed = []
        for number, regex in enumerate(EXPLODING):
            options = read_options(filter=by_type(regex), subscription=ReadOptions.SubscriptionOptions())
            call = stub.Read(streams_pb2.ReadReq(options=options))
            assert (await call.read()).HasField("confirmation")
            subscribed.append(call)
            await client.create_subscription_to_all(f"group-{number}", filter_include=[regex])
        reads = [
            asyncio.create_task(messages(stub.Read(streams_pb2.ReadReq(options=read_options(filter=by_type(regex))))))
            for regex in EXPLODING
        ]
        for number in range(20):
            await client.append_to_stream("own", current_version=StreamState.ANY, events=[event("Own"), event(LONG)])
            assert len(await client.get_stream("own")) == 2 * (number + 1)
        found = await asyncio.gather(*reads)
        assert all(not any(m.event.event.metadata["type"] == "Own" for m in read) for read in found[:4])
        for call in subscribed:
            call.cancel()


@pytest.mark.parametrize(
    "regex", [r"(a)\1", "(?<=a)b", "a" * 20_000, "((a{100}){100}){100}", "(([ab]*a){0,90}.{1,90}){90}d"], ids=len
)
async def test_what_could_take_long_is_refused(stub: Any, client: AsyncEventStoreDBClient, regex: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await messages(stub.Read(streams_pb2.ReadReq(options=read_options(filter=by_type(regex)))))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "is not a regular expression that can be used" in (refusal.value.details() or "")
    assert len(refusal.value.details() or "") < 1000


async def test_too_many_prefixes_are_refused(stub: Any) -> None:
    expression = FilterOptions.Expression(prefix=["a"] * 100_000)
    options = read_options(filter=FilterOptions(event_type=expression, max=32, checkpointIntervalMultiplier=1))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await messages(stub.Read(streams_pb2.ReadReq(options=options)))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "too many prefixes" in (refusal.value.details() or "")


async def test_names_have_a_bound(stub: Any, client: AsyncEventStoreDBClient) -> None:
    longest = "x" * MAX_NAME_LENGTH
    await client.append_to_stream(longest, current_version=StreamState.ANY, events=[event(longest)])
    await client.set_stream_metadata(longest, metadata={})
    for stream, type_ in ((longest + "x", "A"), ("s", longest + "x")):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.Append(iter(append_requests(stream, [event(type_)])))
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"has {MAX_NAME_LENGTH + 1} characters; {MAX_NAME_LENGTH} are the most" in (
            refusal.value.details() or ""
        )
        (answer,) = await messages(stub.BatchAppend(iter([batch_request(stream, [event(type_)])])))
        assert f"{MAX_NAME_LENGTH} are the most" in answer.error.message


# A filter that takes its time


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each look at an event took all the time that there is for one turn of the loop."""
    monkeypatch.setattr(reader, "PAGE_SECONDS", 0)
    for module in (filters, subscriptions, feed):
        monkeypatch.setattr(module, "SECONDS_AT_ONCE", 0)


async def mixed(client: AsyncEventStoreDBClient, count: int = 10) -> None:
    for _ in range(count):
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event("Yes"), *events(3, "No")])


@pytest.mark.usefixtures("no_time")
async def test_it_finds_the_same_a_little_at_a_time(stub: Any, client: AsyncEventStoreDBClient) -> None:
    await mixed(client)
    options = read_options(filter=by_type("^Yes$"), subscription=ReadOptions.SubscriptionOptions())
    subscription = stub.Read(streams_pb2.ReadReq(options=options))
    forwards = [e.stream_position async for e in await client.read_all(filter_include=["Yes"])]
    backwards = [e.stream_position async for e in await client.read_all(filter_include=["Yes"], backwards=True)]
    assert forwards == backwards[::-1] == list(range(0, 40, 4))

    assert await revisions(subscription, 10) == list(range(0, 40, 4))
    await mixed(client)
    assert await revisions(subscription, 10) == list(range(40, 80, 4))
    subscription.cancel()


async def revisions(subscription: Any, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        (message,) = await messages(subscription, 1)
        if message.HasField("event"):
            found.append(message.event.event.stream_revision)
    return found


@pytest.mark.usefixtures("no_time")
async def test_a_group_gets_the_same_a_little_at_a_time(client: AsyncEventStoreDBClient) -> None:
    await mixed(client)
    await client.create_subscription_to_all("g", filter_include=["Yes"])
    subscription = await client.read_subscription_to_all("g")
    found = []
    async for one in subscription:
        found.append(one.stream_position)
        await subscription.ack(one.ack_id)
        if len(found) == 10:
            await mixed(client)
        if len(found) == 20:
            break
    await subscription.stop()
    assert found == list(range(0, 80, 4))
