"""Reading a group: confirmation, limits, acks and nacks, timeouts, links, filters, starts, ends."""

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import MaximumSubscriptionsReached
from node_support import EMPTY, event
from persistent_support import (
    CreateReq,
    Nack,
    ReadReq,
    Stub,
    append,
    consuming,
    create,
    info,
    named,
    revisions,
    trailers,
    until_info,
)

Client = AsyncEventStoreDBClient


# The call


async def test_the_confirmation_names_the_group(groups: Stub) -> None:
    await create(groups, "s", "g")
    await create(groups, None, "g")

    async with consuming(groups, "s") as to_stream, consuming(groups, None) as to_all:
        assert (to_stream.confirmation, to_all.confirmation) == ("s::g", "$all::g")


async def test_no_more_than_the_buffer_size_is_in_flight(client: Client, groups: Stub) -> None:
    await create(groups)
    await append(client, count=10)
    async with consuming(groups, buffer_size=3) as consumer:
        taken = await consumer.take(3)
        await until_info(groups, total_in_flight_messages=3, read_buffer_count=7)
        await consumer.ack(*taken[:2])
        taken += await consumer.take(2)
        await until_info(groups, total_in_flight_messages=3, read_buffer_count=5)

    assert revisions(taken) == [0, 1, 2, 3, 4]


async def test_the_retry_count_is_always_there(client: Client, groups: Stub) -> None:
    await create(groups)
    position = await append(client)
    async with consuming(groups) as consumer:
        (first,) = await consumer.take(1)

    assert first.WhichOneof("count") == "retry_count"
    assert first.retry_count == 0
    assert first.commit_position == first.event.commit_position == first.event.prepare_position == position


@pytest.mark.parametrize("is_named", [True, False])
async def test_structured_ids(client: Client, groups: Stub, is_named: bool) -> None:
    await create(groups)
    new = event()
    await client.append_to_stream("s", current_version=StreamState.ANY, events=[new])
    async with consuming(groups, structured=EMPTY if is_named else None) as consumer:
        (first,) = await consumer.take(1)
        id_ = first.event.id.structured
        bits = (id_.most_significant_bits % 2**64) << 64 | id_.least_significant_bits % 2**64
        assert bits == new.id.int
        await consumer.ack(first)
        await until_info(groups, outstanding_messages_count=0)


@pytest.mark.parametrize(
    "request_",
    [
        ReadReq(ack=ReadReq.Ack()),
        ReadReq(options=named(ReadReq.Options, buffer_size=10)),
        ReadReq(options=named(ReadReq.Options, buffer_size=0, uuid_option=ReadReq.Options.UUIDOption(string=EMPTY))),
    ],
    ids=["no options first", "no uuid option", "no buffer"],
)
async def test_a_read_that_makes_no_sense(groups: Stub, request_: ReadReq) -> None:
    await create(groups)
    call = groups.Read()
    await call.write(request_)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert caught.value.details() == "Exception was thrown by handler."


async def test_a_read_without_any_request_ends_well(groups: Stub) -> None:
    call = groups.Read()
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_events_go_on_after_the_client_has_said_all(client: Client, groups: Stub) -> None:
    await create(groups)
    async with consuming(groups) as consumer:
        await consumer.close_sending()
        await append(client, count=2)
        assert revisions(await consumer.take(2)) == [0, 1]


async def test_the_number_of_consumers_can_be_limited(client: Client, groups: Stub) -> None:
    await create(groups, max_subscriber_count=1)
    async with consuming(groups) as consumer:
        with pytest.raises(MaximumSubscriptionsReached):
            await client.read_subscription_to_stream("g", "s")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with consuming(groups):
                pass
        assert trailers(caught.value)["exception"] == "maximum-subscribers-reached"
        consumer.cancel()
        await until_info(groups, total_in_flight_messages=0, connections=[])
        async with consuming(groups):
            pass


async def test_a_tombstone_is_delivered_and_ends_later_reads(client: Client, groups: Stub) -> None:
    await create(groups)
    await append(client)
    async with consuming(groups) as consumer:
        await consumer.take(1)
        await client.tombstone_stream("s", current_version=StreamState.ANY)
        (last,) = await consumer.take(1)
        assert last.event.metadata["type"] == "$streamDeleted"
        await groups.RestartSubsystem(EMPTY)
    async with consuming(groups) as consumer:
        error = await consumer.end()
    assert error.code() is grpc.StatusCode.CANCELLED


# Where a group starts


async def test_a_group_on_a_stream_that_does_not_exist_yet(client: Client, groups: Stub) -> None:
    await create(groups)
    async with consuming(groups) as consumer:
        await append(client, count=2)
        assert revisions(await consumer.take(2)) == [0, 1]


async def test_the_start_is_inclusive(client: Client, groups: Stub) -> None:
    await append(client, count=2)
    position = await append(client, count=1)
    await append(client, count=1)
    at = CreateReq.Position(commit_position=position, prepare_position=position)
    await create(groups, "s", "rev", start={"revision": 2})
    await create(groups, None, "pos", start={"position": at})

    async with consuming(groups, "s", "rev") as of_stream, consuming(groups, None, "pos") as of_all:
        assert revisions(await of_stream.take(2)) == [2, 3]
        assert revisions(await of_all.take(2)) == [2, 3]


async def test_a_start_beyond_the_end_waits_for_its_revision(client: Client, groups: Stub) -> None:
    await create(groups, start={"revision": 3})
    async with consuming(groups) as consumer:
        await append(client, count=5)
        assert revisions(await consumer.take(2)) == [3, 4]


async def test_a_group_from_the_end(client: Client, groups: Stub) -> None:
    await append(client, count=3)
    await create(groups, "s", start={"end": EMPTY})
    await client.create_subscription_to_all("g", from_end=True)
    await append(client, count=2)

    async with consuming(groups, "s") as of_stream, consuming(groups, None) as of_all:
        assert revisions(await of_stream.take(2)) == [3, 4]
        assert revisions(await of_all.take(2)) == [3, 4]


@pytest.mark.parametrize(
    ("how", "stream", "type_"),
    [
        ({"filter_include": ["Wanted"]}, "a", "Wanted"),
        ({"filter_exclude": ["Un.*", r"\$.*"]}, "a", "Wanted"),
        ({"filter_include": ["b"], "filter_by_stream_name": True}, "b", "Unwanted"),
    ],
)
async def test_filters(client: Client, groups: Stub, how: dict, stream: str, type_: str) -> None:
    for _ in range(2):
        await append(client, "a", 1, "Unwanted")
        await append(client, "a", 1, "Wanted")
        await append(client, "b", 1, "Unwanted")
    await client.create_subscription_to_all("g", **how)
    await append(client, "a", 1, "Wanted")
    await append(client, "b", 1, "Unwanted")

    async with consuming(groups, None) as consumer:
        taken = await consumer.take(3)

    assert {(one.event.stream_identifier.stream_name.decode(), one.event.metadata["type"]) for one in taken} == {
        (stream, type_)
    }


async def test_prefixes_with_commas_and_without_any(client: Client, groups: Stub) -> None:
    expression = CreateReq.AllOptions.FilterOptions.Expression
    for group, prefixes in [("commas", ["x,", "y,z"]), ("none", [])]:
        options = CreateReq.AllOptions.FilterOptions(event_type=expression(prefix=prefixes))
        await create(groups, None, group, start={"start": EMPTY, "filter": options})
    await groups.RestartSubsystem(EMPTY)
    for type_ in ("x", "y,z1", "y", "x,"):
        await append(client, "s", 1, type_)

    async with consuming(groups, None, "commas") as consumer:
        assert [one.event.metadata["type"] for one in await consumer.take(2)] == ["y,z1", "x,"]
    assert (await info(groups, None, "none")).read_buffer_count == 0


async def test_all_hides_the_checkpoints_and_parked_messages_of_its_groups(client: Client, groups: Stub) -> None:
    await append(client, "s", 2)
    await create(groups, None, max_checkpoint_count=1)
    seen = []
    async with consuming(groups, None) as consumer:
        first, second = await consumer.take(2)
        await consumer.ack(first)
        await consumer.nack(Nack.Park, second)
        await until_info(groups, None, parked_message_count=1)
        await append(client, "s", 1, "Last")
        while not seen or seen[-1].event.metadata["type"] != "Last":
            seen += await consumer.take(1)
            await consumer.ack(seen[-1])

    streams = {one.event.stream_identifier.stream_name.decode() for one in seen}
    assert not {name for name in streams if name.startswith("$persistentsubscription-")}
    assert "$persistentSubscriptionConfig" in streams
