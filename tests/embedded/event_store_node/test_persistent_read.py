"""Reading a group: confirmation, limits, acks and nacks, timeouts, links, filters, starts, ends."""

import asyncio

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, NewEvent, StreamState
from esdbclient.exceptions import MaximumSubscriptionsReached
from node_support import EMPTY, event, events
from persistent_support import (
    CreateReq,
    Nack,
    ReadReq,
    Stub,
    append,
    consuming,
    create,
    ids,
    info,
    named,
    replay,
    revisions,
    tick,
    trailers,
    until_info,
)

from embedded.event_store_node import EventStoreNode

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


async def test_structured_ids(client: Client, groups: Stub) -> None:
    await create(groups)
    new = event()
    await client.append_to_stream("s", current_version=StreamState.ANY, events=[new])
    async with consuming(groups, structured=EMPTY) as consumer:
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


# Acks and nacks


async def test_the_async_client_acks(client: Client, groups: Stub) -> None:
    await create(groups)
    await append(client, count=3)
    async with await client.read_subscription_to_stream("g", "s") as subscription:
        async for one in subscription:
            await subscription.ack(one)
            if one.stream_position == 2:
                break
        await until_info(groups, outstanding_messages_count=0, total_items=3)


async def test_the_sync_client_acks(node: EventStoreNode) -> None:
    def consume() -> list[int]:
        client = EventStoreDBClient(node.uri)
        client.create_subscription_to_stream("g", "s")
        client.append_to_stream("s", current_version=StreamState.ANY, events=events(5))
        taken = []
        with client.read_subscription_to_stream("g", "s", event_buffer_size=2) as subscription:
            for one in subscription:
                subscription.ack(one)
                taken.append(one.stream_position)
                if len(taken) == 5:
                    break
        client.close()
        return taken

    assert await asyncio.to_thread(consume) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("action", [Nack.Retry, Nack.Unknown])
async def test_a_retry_comes_before_new_events(client: Client, groups: Stub, action: int) -> None:
    await create(groups)
    await append(client, count=4)
    async with consuming(groups, buffer_size=2) as consumer:
        first, _second = await consumer.take(2)
        await consumer.nack(action, first)
        (again,) = await consumer.take(1)

    assert (again.event.stream_revision, again.retry_count) == (0, 1)


@pytest.mark.parametrize("action", [Nack.Skip, Nack.Stop])
async def test_skip_and_stop_let_a_message_go(client: Client, groups: Stub, action: int) -> None:
    await create(groups)
    await append(client, count=3)
    async with consuming(groups, buffer_size=1) as consumer:
        (first,) = await consumer.take(1)
        await consumer.nack(action, first)
        assert revisions(await consumer.take(1)) == [1]
    assert (await info(groups)).parked_message_count == 0


async def test_retries_go_out_in_the_order_of_the_log(client: Client, groups: Stub) -> None:
    await create(groups)
    await append(client, count=5)
    async with consuming(groups, buffer_size=5) as consumer:
        taken = await consumer.take(5)
        # All in one turn: one message of acks and nacks each.
        await consumer.nack(Nack.Retry, taken[4], taken[1], taken[3])
        again = await consumer.take(3)

    assert revisions(again) == [1, 3, 4]


async def test_after_the_last_retry_a_message_is_parked(client: Client, groups: Stub) -> None:
    await create(groups, max_retry_count=2)
    await append(client)
    async with consuming(groups) as consumer:
        counts = []
        for _ in range(3):
            (one,) = await consumer.take(1)
            counts.append(one.retry_count)
            await consumer.nack(Nack.Retry, one)
        await until_info(groups, parked_message_count=1, outstanding_messages_count=0)

    assert counts == [0, 1, 2]


async def test_an_answer_without_sense_ends_the_answers_not_the_events(client: Client, groups: Stub) -> None:
    await create(groups)
    async with consuming(groups) as consumer:
        await consumer.send(ReadReq(options=named(ReadReq.Options, buffer_size=1)))
        await append(client, count=2)
        first, _ = await consumer.take(2)
        await consumer.ack(first)
        await append(client)
        await consumer.take(1)
        assert (await info(groups)).outstanding_messages_count == 3


async def test_unknown_ids_mean_nothing(client: Client, groups: Stub) -> None:
    await create(groups)
    await append(client, count=2)
    async with consuming(groups, buffer_size=1) as consumer:
        (first,) = await consumer.take(1)
        await consumer.ack(first, first)
        await consumer.nack(Nack.Park, first)
        assert revisions(await consumer.take(1)) == [1]
    assert (await info(groups)).parked_message_count == 0


async def test_events_with_the_same_id_are_all_delivered(client: Client, groups: Stub) -> None:
    await create(groups)
    new = event()
    for version in (StreamState.NO_STREAM, 0, 1):
        await client.append_to_stream("s", current_version=version, events=[new])
    async with consuming(groups) as consumer:
        taken = []
        for _ in range(3):
            taken += await consumer.take(1)
            await consumer.ack(taken[-1])
        await until_info(groups, outstanding_messages_count=0)

    assert revisions(taken) == [0, 1, 2]


# Timeouts


async def test_a_message_times_out_on_a_tick(node: EventStoreNode, client: Client, groups: Stub) -> None:
    await create(groups, message_timeout_ms=10_000)
    await append(client, count=2)
    async with consuming(groups) as consumer:
        first, second = await consumer.take(2)
        await consumer.ack(first)
        await until_info(groups, outstanding_messages_count=1)
        tick(node, seconds=9)
        assert (await info(groups)).retry_buffer_count == 0
        tick(node, seconds=11)
        (again,) = await consumer.take(1)

    assert (ids([again]), again.retry_count) == (ids([second]), 1)


async def test_a_timeout_of_zero_expires_at_the_next_tick(node: EventStoreNode, client: Client, groups: Stub) -> None:
    await create(groups, message_timeout_ms=0, max_retry_count=1)
    await append(client)
    async with consuming(groups) as consumer:
        await consumer.take(1)
        tick(node)
        (again,) = await consumer.take(1)
        assert again.retry_count == 1
        tick(node)
        await until_info(groups, parked_message_count=1)


async def test_the_tick_comes_by_itself(client: Client, groups: Stub) -> None:
    await create(groups, message_timeout_ms=1)
    await append(client)
    async with consuming(groups) as consumer:
        assert [one.retry_count for one in await consumer.take(2)] == [0, 1]


# Links


async def link_to(client: Client, target: str) -> None:
    link = NewEvent(type="$>", data=target.encode(), content_type="application/octet-stream")
    await client.append_to_stream("links", current_version=StreamState.ANY, events=[link])


async def test_links_are_resolved_if_so_wished(client: Client, groups: Stub) -> None:
    await append(client, "source", 2)
    await link_to(client, "1@source")
    await create(groups, "links", "resolved", resolve_links=True)
    await create(groups, "links", "raw")

    async with consuming(groups, "links", "resolved") as consumer:
        (resolved,) = await consumer.take(1)
        await consumer.ack(resolved)  # by the link's id
        await until_info(groups, "links", "resolved", outstanding_messages_count=0)
    async with consuming(groups, "links", "raw") as consumer:
        (raw,) = await consumer.take(1)

    assert (resolved.event.stream_identifier.stream_name, resolved.event.stream_revision) == (b"source", 1)
    assert (resolved.link.stream_identifier.stream_name, resolved.link.stream_revision) == (b"links", 0)
    assert resolved.commit_position == resolved.link.commit_position == resolved.event.commit_position
    assert raw.event.metadata["type"] == "$>"
    assert not raw.HasField("link")


async def test_a_link_that_leads_nowhere_comes_alone(client: Client, groups: Stub) -> None:
    await link_to(client, "0@missing")
    await create(groups, "links", resolve_links=True)
    async with consuming(groups, "links") as consumer:
        (one,) = await consumer.take(1)
        assert one.HasField("link")
        assert not one.HasField("event")
        await consumer.nack(Nack.Park, one)
        await until_info(groups, "links", parked_message_count=1)
        await replay(groups, "links")
        # What it leads to is still missing: it is passed over.
        await until_info(groups, "links", parked_message_count=0, outstanding_messages_count=0)
