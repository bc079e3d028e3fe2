"""Groups are created, updated, deleted, listed and described; errors carry status, text and trailers."""

import asyncio

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient
from esdbclient.exceptions import AlreadyExists, InternalError, NotFound
from esdbclient.protos.Grpc import persistent_pb2
from node_support import EMPTY, stream_id
from persistent_support import (
    CreateReq,
    Stub,
    append,
    consuming,
    create,
    info,
    named,
    settings,
    trailers,
    until_info,
)

from embedded.event_store_node import EventStoreNode

UpdateReq = persistent_pb2.UpdateReq
ALL_POSITION = CreateReq.Position(commit_position=10**9, prepare_position=10**9)
HALF_END = CreateReq.Position(commit_position=2**64 - 1, prepare_position=5)
PROTO = "EventStore.Client.PersistentSubscriptions."


# Create


async def test_a_new_group_is_described_as_it_was_created(client: AsyncEventStoreDBClient) -> None:
    await client.create_subscription_to_stream(
        "g",
        "s",
        stream_position=7,
        resolve_links=True,
        consumer_strategy="Pinned",
        message_timeout=12.5,
        max_retry_count=3,
        min_checkpoint_count=4,
        max_checkpoint_count=5,
        checkpoint_after=1.5,
        max_subscriber_count=6,
        live_buffer_size=70,
        read_batch_size=80,
        history_buffer_size=90,
        extra_statistics=True,
    )

    got = await client.get_subscription_info("g", "s")

    assert (got.event_source, got.group_name, got.start_from) == ("s", "g", "7")
    assert (got.resolve_links, got.consumer_strategy, got.extra_statistics) == (True, "Pinned", True)
    assert (got.message_timeout, got.checkpoint_after, got.max_retry_count) == (12.5, 1.5, 3)
    assert (got.min_checkpoint_count, got.max_checkpoint_count, got.max_subscriber_count) == (4, 5, 6)
    assert (got.live_buffer_size, got.read_batch_size, got.history_buffer_size) == (70, 80, 90)
    assert (got.last_known_event_position, got.last_checkpointed_event_position) == ("", "")
    assert (got.total_items, got.parked_message_count, got.total_in_flight_messages) == (0, 0, 0)


@pytest.mark.parametrize(
    ("stream", "start", "text"),
    [
        ("s", {"start": EMPTY}, "0"),
        ("s", {"end": EMPTY}, "-1"),
        ("s", {"revision": 5}, "5"),
        (None, {"start": EMPTY}, "C:0/P:0"),
        (None, {"end": EMPTY}, "C:-1/P:-1"),
        (None, {"position": CreateReq.Position(commit_position=1, prepare_position=1)}, "C:1/P:1"),
    ],
)
async def test_where_a_group_starts_is_told_in_a_text(
    client: AsyncEventStoreDBClient, groups: Stub, stream: str | None, start: dict, text: str
) -> None:
    await append(client, "any", 3)
    await create(groups, stream, start=start)

    assert (await info(groups, stream)).start_from == text


async def test_options_of_old_clients(groups: Stub) -> None:
    old = CreateReq.Settings(
        revision=3,
        named_consumer_strategy=CreateReq.ConsumerStrategy.Pinned,
        message_timeout_ticks=50_000_000,
        checkpoint_after_ticks=20_000_000,
        read_batch_size=20,
        history_buffer_size=500,
    )
    options = CreateReq.Options(stream_identifier=stream_id("s"), group_name="g", settings=old)
    await groups.Create(CreateReq(options=options))

    got = await info(groups)
    assert (got.start_from, got.named_consumer_strategy) == ("3", "Pinned")
    assert (got.message_timeout_milliseconds, got.check_point_after_milliseconds) == (5000, 2000)


async def test_a_group_exists_already(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    await create(groups)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(groups)

    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert caught.value.details() == "Subscription group g on stream s exists."
    assert trailers(caught.value) == {
        "exception": "persistent-subscription-exists",
        "stream-name": "s",
        "group-name": "g",
    }
    with pytest.raises(AlreadyExists):
        await client.create_subscription_to_stream("g", "s")


@pytest.mark.parametrize(
    ("stream", "start", "changes", "reason"),
    [
        ("s", None, {"consumer_strategy": "Magic"}, "Consumer strategy Magic does not exist."),
        ("s", None, {"read_batch_size": 500}, "out of the range"),
        ("", None, {}, "Bad stream name."),
        ("$all", None, {}, "only supported over gRPC"),
        (None, {"position": ALL_POSITION}, {}, "less than or equal to the last commit position"),
        (None, {"position": HALF_END}, {}, "prepare position must be less than or equal to the commit position"),
    ],
)
async def test_a_group_that_cannot_be(
    groups: Stub, stream: str | None, start: dict | None, changes: dict, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(groups, stream, start=start, **changes)

    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert trailers(caught.value)["exception"] == "persistent-subscription-failed"
    assert reason in trailers(caught.value)["reason"]
    name = "$all" if stream is None else stream
    assert caught.value.details().startswith(f"Subscription group g on stream {name} failed: '")


@pytest.mark.parametrize(
    ("stream", "start", "details"),
    [
        # Before the stream's name is looked at.
        ("", {"revision": 2**64 - 2}, "Exception was thrown by handler."),
        (None, {"position": CreateReq.Position(commit_position=2**63, prepare_position=0)}, "Exception was thrown"),
        (None, {"position": CreateReq.Position(commit_position=1, prepare_position=2)}, "Exception was thrown"),
        ("", {}, f"'None' is not a valid {PROTO}CreateReq+Types+StreamOptions+RevisionOptionOneofCase"),
        (None, {}, f"'None' is not a valid {PROTO}CreateReq+Types+AllOptions+AllOptionOneofCase"),
    ],
)
async def test_a_start_that_makes_no_sense(groups: Stub, stream: str | None, start: dict, details: str) -> None:
    options = CreateReq.Options(group_name="g", settings=settings())
    if stream is None:
        options.all.CopyFrom(CreateReq.AllOptions(**start))
    else:
        options.stream.CopyFrom(CreateReq.StreamOptions(stream_identifier=stream_id(stream), **start))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await groups.Create(CreateReq(options=options))

    assert details in caught.value.details()


async def test_an_update_of_all_without_a_start(groups: Stub) -> None:
    request = update_request(None)
    request.options.all.ClearField("start")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await groups.Update(request)
    assert caught.value.code() is grpc.StatusCode.UNKNOWN


async def test_a_malformed_filter_is_refused(groups: Stub) -> None:
    broken = CreateReq.AllOptions.FilterOptions.Expression(regex="(")
    for options, code in [
        (CreateReq.AllOptions.FilterOptions(event_type=broken), grpc.StatusCode.UNKNOWN),
        (CreateReq.AllOptions.FilterOptions(), grpc.StatusCode.INVALID_ARGUMENT),
    ]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(groups, None, start={"start": EMPTY, "filter": options})
        assert caught.value.code() is code


async def test_a_call_without_time_changes_nothing(groups: Stub) -> None:
    options = CreateReq.Options(
        stream=CreateReq.StreamOptions(stream_identifier=stream_id("s"), start=EMPTY),
        group_name="g",
        settings=settings(),
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await groups.Create(CreateReq(options=options), timeout=0)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await create(groups)


# Update


def update_request(stream: str | None = "s", strategy: int = 1, **changes: object) -> UpdateReq:
    wanted = {"read_batch_size": 20, "history_buffer_size": 500, "named_consumer_strategy": strategy, **changes}
    options = UpdateReq.Options(group_name="g", settings=UpdateReq.Settings(**wanted))
    if stream is None:
        options.all.CopyFrom(UpdateReq.AllOptions(start=EMPTY))
    else:
        options.stream.CopyFrom(UpdateReq.StreamOptions(stream_identifier=stream_id(stream), start=EMPTY))
    return UpdateReq(options=options)


async def test_an_update_changes_the_settings(groups: Stub) -> None:
    await create(groups)
    await groups.Update(update_request(max_retry_count=2, strategy=0, message_timeout_ms=9))

    got = await info(groups)
    assert (got.max_retry_count, got.named_consumer_strategy, got.message_timeout_milliseconds) == (
        2,
        "DispatchToSingle",
        9,
    )


async def test_an_update_keeps_the_filter(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    await client.create_subscription_to_all("g", filter_include=["Wanted"])
    await groups.Update(update_request(None))
    await append(client, "s", 1, "Unwanted")
    await append(client, "s", 1, "Wanted")

    async with consuming(groups, None) as consumer:
        (first,) = await consumer.take(1)

    assert first.event.metadata["type"] == "Wanted"


async def test_the_client_updates_from_what_the_info_says(client: AsyncEventStoreDBClient) -> None:
    position = await append(client, "any")
    await client.create_subscription_to_all("g", commit_position=position)
    await client.update_subscription_to_all("g", max_retry_count=1)
    assert (await client.get_subscription_info("g")).start_from == f"C:{position}/P:{position}"
    await client.update_subscription_to_all("g", from_end=True)
    await client.update_subscription_to_all("g", max_retry_count=2)
    assert (await client.get_subscription_info("g")).start_from == "C:-1/P:-1"


async def test_an_update_that_cannot_be_leaves_the_group(groups: Stub) -> None:
    await create(groups)
    for request in (update_request(strategy=17), update_request(history_buffer_size=20)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await groups.Update(request)
        assert caught.value.code() is grpc.StatusCode.INTERNAL

    assert (await info(groups)).buffer_size == 500


@pytest.mark.parametrize("change", ["update", "delete", "restart"])
async def test_consumers_are_dropped_by(groups: Stub, change: str) -> None:
    await create(groups)
    async with consuming(groups) as consumer:
        match change:
            case "update":
                await groups.Update(update_request())
            case "delete":
                await groups.Delete(delete_request())
            case "restart":
                await groups.RestartSubsystem(EMPTY)
        error = await consumer.end()

    assert error.code() is grpc.StatusCode.CANCELLED
    assert error.details() == "Subscription group g on stream s was dropped."
    assert trailers(error) == {
        "exception": "persistent-subscription-dropped",
        "stream-name": "s",
        "group-name": "g",
    }


# Delete


def delete_request(stream: str | None = "s") -> persistent_pb2.DeleteReq:
    return persistent_pb2.DeleteReq(options=named(persistent_pb2.DeleteReq.Options, stream))


async def test_a_deleted_group_is_gone(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    await create(groups)
    await create(groups, group="other")
    await groups.Delete(delete_request())

    assert [one.group_name for one in await client.list_subscriptions()] == ["other"]
    with pytest.raises(NotFound):
        await client.get_subscription_info("g", "s")


async def test_a_group_created_again_starts_anew(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    await append(client, count=3)
    await create(groups, max_checkpoint_count=1)
    async with consuming(groups) as consumer:
        taken = await consumer.take(3)
        await consumer.ack(*taken[:2])
        await until_info(groups, last_checkpointed_event_position="1")
        await consumer.nack(persistent_pb2.ReadReq.Nack.Park, taken[2])
        await until_info(groups, parked_message_count=1)
    await groups.Delete(delete_request())
    await create(groups)

    got = await info(groups)
    assert (got.last_checkpointed_event_position, got.parked_message_count) == ("", 0)
    async with consuming(groups) as consumer:
        assert [one.event.stream_revision for one in await consumer.take(3)] == [0, 1, 2]


# Groups that are not there


async def test_every_call_knows_a_missing_group(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    replay_options = named(persistent_pb2.ReplayParkedReq.Options, no_limit=EMPTY)
    for call in (
        groups.GetInfo(persistent_pb2.GetInfoReq(options=named(persistent_pb2.GetInfoReq.Options))),
        groups.Update(update_request()),
        groups.Delete(delete_request()),
        groups.ReplayParked(persistent_pb2.ReplayParkedReq(options=replay_options)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert caught.value.details() == "Subscription group g on stream s does not exist."
        assert trailers(caught.value)["exception"] == "persistent-subscription-does-not-exist"
    with pytest.raises(NotFound):
        await client.read_subscription_to_stream("g", "s")


# List


async def test_lists(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    assert await client.list_subscriptions() == []
    for stream, group in [("b", "1"), (None, "2"), ("a", "3"), ("b", "4")]:
        await create(groups, stream, group)

    everything = [(one.event_source, one.group_name) for one in await client.list_subscriptions()]
    assert everything == [("$all", "2"), ("a", "3"), ("b", "1"), ("b", "4")]
    assert [one.group_name for one in await client.list_subscriptions_to_stream("b")] == ["1", "4"]
    assert await client.list_subscriptions_to_stream("missing") == []
    of_all = persistent_pb2.ListReq.StreamOption(all=EMPTY)
    options = persistent_pb2.ListReq.Options(list_for_stream=of_all)
    listed = await groups.List(persistent_pb2.ListReq(options=options))
    assert [one.group_name for one in listed.subscriptions] == ["2"]


async def test_connections_are_described(client: AsyncEventStoreDBClient, groups: Stub) -> None:
    await create(groups, extra_statistics=True)
    await append(client, count=3)
    async with consuming(groups, buffer_size=5) as consumer:
        taken = await consumer.take(3)
        await consumer.ack(taken[0])
        await until_info(groups, outstanding_messages_count=2)
        got = await info(groups)

    (connection,) = got.connections
    assert (connection.in_flight_messages, connection.available_slots, connection.total_items) == (2, 3, 3)
    assert (connection.username, connection.connection_name) == ("system", "<unknown>")
    assert [one.key for one in connection.observed_measurements][:4] == ["Mean", "Median", "Fastest", "Quintile 1"]
    assert (got.status, got.total_items, got.total_in_flight_messages) == ("Live", 3, 2)
    assert got.last_known_event_position == "2"
    await until_info(groups, total_in_flight_messages=0, retry_buffer_count=2)


async def test_a_sync_client_manages_groups(node: EventStoreNode) -> None:
    def manage() -> None:
        client = EventStoreDBClient(node.uri)
        client.create_subscription_to_all("g", from_end=True)
        client.create_subscription_to_stream("g", "s")
        client.update_subscription_to_stream("g", "s", consumer_strategy="RoundRobin")
        assert client.get_subscription_info("g", "s").consumer_strategy == "RoundRobin"
        with pytest.raises(InternalError):
            client.create_subscription_to_stream("h", "s", read_batch_size=1, history_buffer_size=1)
        client.delete_subscription("g")
        assert [one.event_source for one in client.list_subscriptions()] == ["s"]
        client.close()

    await asyncio.to_thread(manage)
