"""What becomes of a message: acks and nacks, retries, timeouts, links."""

import asyncio

import pytest
from esdbclient import AsyncEventStoreDBClient, EventStoreDBClient, NewEvent, StreamState
from node_support import event, events
from persistent_support import (
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
    until_info,
)

from embedded.event_store_node import EventStoreNode

Client = AsyncEventStoreDBClient


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
