"""Catch-up subscriptions: history, then what is written, without loss, repetition or unbounded memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import StreamIsDeleted
from esdbclient.protos.Grpc import streams_pb2, streams_pb2_grpc
from node_support import (
    EMPTY,
    ReadOptions,
    connected,
    event,
    events,
    from_first_position,
    messages,
    read_options,
    stream_id,
    until,
)

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log import broker, reader

Client = AsyncEventStoreDBClient
SUBSCRIBE = ReadOptions.SubscriptionOptions()
Subscribe = Callable[..., Any]


@pytest.fixture
async def subscribe(stub) -> AsyncIterator[Subscribe]:
    """Subscribe with these read options; the call has given its confirmation."""
    calls = []

    async def begin(**changes: Any) -> Any:
        call = stub.Read(streams_pb2.ReadReq(options=read_options(subscription=SUBSCRIBE, **changes)))
        calls.append(call)
        (message,) = await messages(call, 1)
        assert message.confirmation.subscription_id
        return call

    yield begin
    for call in calls:
        call.cancel()


def to_stream(name: str, **start: Any) -> dict[str, Any]:
    options = ReadOptions.StreamOptions(stream_identifier=stream_id(name), **(start or {"start": EMPTY}))
    return {"stream": options}


def filtered(regex: str, window: int = 32, multiplier: int = 1, **start: Any) -> dict[str, Any]:
    expression = ReadOptions.FilterOptions.Expression(regex=regex)
    return {
        "all": ReadOptions.AllOptions(**start) if start else from_first_position(),
        "filter": ReadOptions.FilterOptions(event_type=expression, max=window, checkpointIntervalMultiplier=multiplier),
    }


def from_position(position: int) -> ReadOptions.Position:
    return ReadOptions.Position(commit_position=position, prepare_position=position)


async def append(client: Client, stream: str, count: int = 1, type_: str = "Happened") -> int:
    return await client.append_to_stream(stream, current_version=StreamState.ANY, events=events(count, type_))


def kinds(received: list[streams_pb2.ReadResp]) -> list[str | None]:
    return [message.WhichOneof("content") for message in received]


def revisions(received: list[streams_pb2.ReadResp]) -> list[int]:
    return [m.event.event.stream_revision for m in received if m.HasField("event")]


# Streams


async def test_a_stream_from_its_start(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 3)
    call = await subscribe(**to_stream("s"))

    caught_up = await messages(call, 4)
    await append(client, "other")
    await append(client, "s", 2)
    live = await messages(call, 2)

    assert kinds(caught_up) == ["event", "event", "event", "caught_up"]
    assert revisions(caught_up + live) == [0, 1, 2, 3, 4]


async def test_a_stream_from_a_revision_is_exclusive(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 3)
    call = await subscribe(**to_stream("s", revision=1))

    assert revisions(await messages(call, 2)) == [2]


async def test_a_stream_from_its_end(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 3)
    call = await subscribe(**to_stream("s", end=EMPTY))
    await append(client, "s", 1)

    # The event may be committed before or after the subscription is told that it has caught up.
    assert set(kinds(received := await messages(call, 2))) == {"caught_up", "event"}
    assert revisions(received) == [3]


@pytest.mark.parametrize("start", [{"start": EMPTY}, {"end": EMPTY}])
async def test_a_stream_that_does_not_exist_yet(client: Client, subscribe: Subscribe, start: Any) -> None:
    call = await subscribe(**to_stream("s", **start))
    assert kinds(await messages(call, 1)) == ["caught_up"]
    await append(client, "s", 2)

    assert revisions(await messages(call, 2)) == [0, 1]


async def test_a_revision_that_does_not_exist_yet(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 1)
    call = await subscribe(**to_stream("s", revision=2))
    await append(client, "s", 3)

    assert revisions(await messages(call, 2)) == [3]


async def test_a_soft_deleted_stream_goes_on_when_it_is_recreated(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 2)
    await client.delete_stream("s", current_version=StreamState.ANY)
    call = await subscribe(**to_stream("s"))
    assert kinds(await messages(call, 1)) == ["caught_up"]
    await append(client, "s", 1)

    assert revisions(await messages(call, 1)) == [2]


async def test_truncated_events_are_not_caught_up_on(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 5)
    await client.set_stream_metadata("s", metadata={"$maxCount": 2})
    call = await subscribe(**to_stream("s"))

    assert revisions(await messages(call, 3)) == [3, 4]


async def test_a_tombstone_is_sent_and_ends_the_subscription(client: Client, subscribe: Subscribe) -> None:
    await append(client, "s", 1)
    call = await subscribe(**to_stream("s"))
    await messages(call, 2)
    await client.tombstone_stream("s", current_version=StreamState.ANY)

    (tombstone,) = await messages(call, 1)
    assert tombstone.event.event.metadata["type"] == "$streamDeleted"
    with pytest.raises(grpc.aio.AioRpcError) as end:
        await messages(call, 1)
    assert end.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert end.value.details() == "Event stream 's' is deleted."


async def test_a_tombstoned_stream_cannot_be_subscribed_to(client: Client) -> None:
    await client.tombstone_stream("s", current_version=StreamState.ANY)
    subscription = await client.subscribe_to_stream("s")

    with pytest.raises(StreamIsDeleted):
        await anext(subscription)


async def test_links_are_resolved_live_and_caught_up(client: Client) -> None:
    await append(client, "s", 2)

    async def link(target: bytes) -> None:
        binary = event("$>", target, content_type="application/octet-stream")
        await client.append_to_stream("links", current_version=StreamState.ANY, events=[binary])

    await link(b"0@s")
    async with await client.subscribe_to_stream("links", resolve_links=True) as subscription:
        first = await anext(subscription)
        await link(b"1@s")
        second = await anext(subscription)

    assert [(e.stream_name, e.stream_position) for e in (first, second)] == [("s", 0), ("s", 1)]


# $all


async def test_all_from_the_start(client: Client, subscribe: Subscribe) -> None:
    await append(client, "a", 2)
    call = await subscribe()
    await append(client, "b", 2)

    received = await messages(call, 5)
    positions = [m.event.commit_position for m in received if m.HasField("event")]
    assert kinds(received).count("caught_up") == 1
    assert len(positions) == 4
    assert positions == sorted(set(positions))


async def test_all_from_a_position_is_exclusive(client: Client, subscribe: Subscribe) -> None:
    position = await append(client, "a", 1)
    await append(client, "b", 1)
    call = await subscribe(all=ReadOptions.AllOptions(position=from_position(position)))

    (message,) = await messages(call, 1)
    assert message.event.event.stream_identifier.stream_name == b"b"


async def test_all_from_the_end_means_from_the_confirmation(client: Client, subscribe: Subscribe) -> None:
    await append(client, "a", 3)
    call = await subscribe(all=ReadOptions.AllOptions(end=EMPTY))
    await append(client, "b", 1)

    # The event may be committed before or after the subscription is told that it has caught up.
    received = {message.WhichOneof("content"): message for message in await messages(call, 2)}
    assert set(received) == {"caught_up", "event"}
    assert received["event"].event.event.stream_identifier.stream_name == b"b"


async def test_an_unfiltered_subscription_gets_no_checkpoints(client: Client, subscribe: Subscribe) -> None:
    await append(client, "a", 500)
    call = await subscribe()
    received = await messages(call, 501)

    assert set(kinds(received)) == {"event", "caught_up"}


async def test_history_of_many_pages(client: Client, subscribe: Subscribe) -> None:
    count = 3 * reader.PAGE_EVENTS + 5
    await append(client, "a", count)
    call = await subscribe()

    assert revisions(await messages(call, count + 1)) == list(range(count))


async def test_hidden_streams_are_hidden_live_too(client: Client, subscribe: Subscribe) -> None:
    call = await subscribe()
    assert kinds(await messages(call, 1)) == ["caught_up"]
    await append(client, "$persistentsubscription-$all::g-checkpoint")
    await append(client, "a")

    (event,) = await messages(call, 1)
    assert event.event.event.stream_identifier.stream_name == b"a"


async def test_many_subscribers_get_everything_while_it_is_written(client: Client) -> None:
    total = 300

    async def receive(after: int) -> list[tuple[str, int]]:
        async def written() -> bool:
            return await client.get_commit_position() > 0

        if after:
            await until(written)
        seen: list[tuple[str, int]] = []
        async with await client.subscribe_to_all() as subscription:
            async for e in subscription:
                seen.append((e.stream_name, e.stream_position))
                if len(seen) == total:
                    return seen
        raise AssertionError

    async def write(stream: str) -> None:
        for _ in range(total // 6):
            await append(client, stream)

    receivers = [asyncio.create_task(receive(n)) for n in range(6)]
    await asyncio.gather(*(write(f"s-{n}") for n in range(6)))
    seen = await asyncio.wait_for(asyncio.gather(*receivers), 30)

    assert all(order == seen[0] for order in seen)
    assert len(set(seen[0])) == total


# Checkpoints


async def test_checkpoints_in_history_and_one_when_going_live(client: Client, subscribe: Subscribe) -> None:
    last = await append(client, "a", 25, "No")
    call = await subscribe(**filtered("Yes", window=5, multiplier=2))

    received = await messages(call, 4)
    assert kinds(received) == ["checkpoint", "checkpoint", "checkpoint", "caught_up"]
    positions = [m.checkpoint.commit_position for m in received[:3]]
    assert positions == sorted(set(positions))
    assert positions[2] == last
    logged = [e.commit_position async for e in await client.read_all()]
    assert positions[:2] == [logged[9], logged[19]]


async def test_checkpoints_live(client: Client, subscribe: Subscribe) -> None:
    call = await subscribe(**filtered("Yes", window=2, multiplier=2))
    assert kinds(await messages(call, 1)) == ["caught_up"]
    for n in range(9):
        await append(client, "a", 1, "Yes" if n == 4 else "No")
    (first, accepted, second) = await messages(call, 3)

    logged = [e.commit_position async for e in await client.read_all()]
    assert first.checkpoint.commit_position == logged[3]
    assert accepted.event.commit_position == logged[4]
    assert second.checkpoint.commit_position == logged[7]


async def test_an_accepted_event_comes_before_the_checkpoint_that_covers_it(
    client: Client, subscribe: Subscribe
) -> None:
    await append(client, "a", 3, "Yes")
    call = await subscribe(**filtered("Yes", window=1))

    received = await messages(call, 7)
    assert kinds(received) == ["event", "checkpoint"] * 3 + ["caught_up"]
    assert [m.event.commit_position for m in received[0:6:2]] == [m.checkpoint.commit_position for m in received[1:6:2]]


async def test_no_checkpoint_is_sent_twice_or_for_the_start(client: Client, subscribe: Subscribe) -> None:
    position = await append(client, "a", 4, "No")
    exact = await subscribe(**filtered("Yes", window=4))
    resumed = await subscribe(**filtered("Yes", window=4, position=from_position(position)))
    from_end = await subscribe(**filtered("Yes", window=4, end=EMPTY))
    ahead = await subscribe(**filtered("Yes", window=4, position=from_position(position + 10**6)))

    assert kinds(await messages(exact, 2)) == ["checkpoint", "caught_up"]
    for call in (resumed, from_end, ahead):
        assert kinds(await messages(call, 1)) == ["caught_up"]


async def test_what_no_filter_lets_through_wakes_nobody(
    client: Client, subscribe: Subscribe, node: EventStoreNode
) -> None:
    calls = [await subscribe(**filtered("Yes", window=500)) for _ in range(3)]
    for call in calls:
        assert kinds(await messages(call, 1)) == ["caught_up"]
    buffers = list(node._log.broker._to_all)

    async def all_wait() -> bool:
        return all(buffer._is_waiting for buffer in buffers)

    await until(all_wait)
    changes = [buffer._changed for buffer in buffers]
    await append(client, "a", 400, "No")
    assert not any(change.is_set() for change in changes)
    # What was passed over is counted.
    await append(client, "a", 100, "No")
    position = await append(client, "a", 1, "Yes")
    for call in calls:
        first, second = await messages(call, 2)
        assert (first.WhichOneof("content"), second.event.commit_position) == ("checkpoint", position)


async def test_equal_filters_of_two_nodes_do_not_mix(client: Client, subscribe: Subscribe) -> None:
    """The events of both have the same positions."""
    call = await subscribe(**filtered("Yes"))
    assert kinds(await messages(call, 1)) == ["caught_up"]
    async with EventStoreNode() as other, grpc.aio.insecure_channel(f"{other.host}:{other.port}") as channel:
        options = read_options(subscription=SUBSCRIBE, **filtered("Yes"))
        other_call = streams_pb2_grpc.StreamsStub(channel).Read(streams_pb2.ReadReq(options=options))
        assert kinds(await messages(other_call, 2)) == ["confirmation", "caught_up"]
        async with connected(other.uri) as other_client:
            await append(other_client, "a", 1, "No1")
            await append(client, "a", 1, "Yes")
            assert kinds(await messages(call, 1)) == ["event"]
            await append(other_client, "a", 1, "Yes")
            assert kinds(await messages(other_call, 1)) == ["event"]


# Falling behind


@pytest.mark.parametrize("to", [to_stream("s"), {}, filtered("Happened", window=50)], ids=["stream", "all", "filter"])
async def test_a_slow_subscriber_falls_behind_and_loses_nothing(
    client: Client, subscribe: Subscribe, node: EventStoreNode, monkeypatch: pytest.MonkeyPatch, to: Any
) -> None:
    monkeypatch.setattr(broker, "MAX_BUFFERED_EVENTS", 8)
    call = await subscribe(**to)
    assert kinds(await messages(call, 1)) == ["caught_up"]
    # One commit of more events than the buffer holds: it overflows whatever the subscriber does.
    for _ in range(3):
        await append(client, "s", 100)

    received: list[streams_pb2.ReadResp] = []
    while revisions(received)[-1:] != [299] or kinds(received)[-1] != "caught_up":
        received += await messages(call, 1)

    assert revisions(received) == list(range(300))
    # As from the real server: that it fell behind is not told, that it caught up again is.
    assert set(kinds(received)) <= {"event", "checkpoint", "caught_up"}
    assert kinds(received).count("caught_up") > 0
    checkpoints = [m.checkpoint.commit_position for m in received if m.HasField("checkpoint")]
    assert checkpoints == sorted(set(checkpoints))


def test_buffers_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "MAX_BUFFERED_BYTES", 100)
    buffer = broker.LiveBuffer()
    large = broker.LoggedEvent(1, "s", 0, "T", 1, b"x" * 60)

    buffer.offer([large])
    assert not buffer._overflowed
    buffer.offer([large])
    assert buffer._overflowed
    assert buffer._events == []
    buffer.reset()
    buffer.offer([large])
    assert not buffer._overflowed


# Ending


async def test_a_subscription_that_is_cancelled_leaves_nothing_behind(
    client: Client, node: EventStoreNode, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        subscriptions = [await client.subscribe_to_all(), await client.subscribe_to_stream("s")]
        for subscription in subscriptions:
            await subscription.stop()

    async def forgotten() -> bool:
        return not node._log.broker._to_all and not node._log.broker._to_stream

    await until(forgotten)
    assert not caplog.records


async def test_the_commit_position_is_not_moved_by_subscribing(client: Client) -> None:
    position = await append(client, "a")
    await client.subscribe_to_all()
    await client.subscribe_to_stream("a")

    assert await client.get_commit_position(filter_exclude=()) == position
