"""Several consumers on one group: the strategies, and consumers that come and go."""

import json
from contextlib import AsyncExitStack

import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from node_support import EMPTY, event
from persistent_support import (
    Consumer,
    CreateReq,
    ReadEvent,
    Stub,
    append,
    consuming,
    create,
    info,
    revisions,
    until_info,
)

Client = AsyncEventStoreDBClient


async def consumers(stack: AsyncExitStack, groups: Stub, stream: str | None, *sizes: int) -> list[Consumer]:
    return [await stack.enter_async_context(consuming(groups, stream, buffer_size=size)) for size in sizes]


def streams(taken: list[ReadEvent]) -> set[str]:
    return {one.event.stream_identifier.stream_name.decode() for one in taken}


async def test_round_robin_deals_events_in_turn(client: Client, groups: Stub) -> None:
    await create(groups)
    async with AsyncExitStack() as stack:
        one, two, three = await consumers(stack, groups, "s", 10, 10, 10)
        await append(client, count=6)
        assert revisions(await one.take(2)) == [0, 3]
        assert revisions(await two.take(2)) == [1, 4]
        assert revisions(await three.take(2)) == [2, 5]


async def test_round_robin_passes_over_who_is_full(client: Client, groups: Stub) -> None:
    await create(groups)
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, "s", 1, 10)
        await append(client, count=4)
        assert revisions(await one.take(1)) == [0]
        assert revisions(await two.take(3)) == [1, 2, 3]


async def test_dispatch_to_single_stays_until_it_is_full(client: Client, groups: Stub) -> None:
    await create(groups, consumer_strategy="DispatchToSingle")
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, "s", 3, 3)
        await append(client, count=5)
        assert revisions(await one.take(3)) == [0, 1, 2]
        assert revisions(await two.take(2)) == [3, 4]


def orders_only() -> dict[str, object]:
    """A start of `$all` that leaves the system's own events out."""
    options = CreateReq.AllOptions.FilterOptions
    return {
        "start": EMPTY,
        "filter": options(stream_identifier=options.Expression(prefix=["order-"])),
    }


async def in_flight_of(groups: Stub, total: int) -> list[int]:
    """How many messages each consumer of the `$all` group has, once there are so many in all."""
    await until_info(groups, None, total_in_flight_messages=total)
    return [connection.in_flight_messages for connection in (await info(groups, None)).connections]


async def test_pinned_keeps_a_stream_with_one_consumer(client: Client, groups: Stub) -> None:
    await create(groups, None, start=orders_only(), consumer_strategy="Pinned")
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, None, 500, 500)
        for _ in range(3):
            for number in range(10):
                await append(client, f"order-{number}")
        counts = await in_flight_of(groups, 30)
        first, second = await one.take(counts[0]), await two.take(counts[1])

    assert not streams(first) & streams(second)
    assert len(streams(first)) == len(streams(second)) == 5


async def test_pinned_streams_go_to_others_when_their_consumer_leaves(client: Client, groups: Stub) -> None:
    await create(groups, None, start=orders_only(), consumer_strategy="Pinned")
    async with AsyncExitStack() as stack:
        stayer, leaver = await consumers(stack, groups, None, 500, 500)
        for number in range(10):
            await append(client, f"order-{number}")
        counts = await in_flight_of(groups, 10)
        taken = await stayer.take(counts[0])
        leaver.cancel()
        taken += await stayer.take(counts[1])

    assert len(streams(taken)) == 10


async def test_pinned_gives_a_newcomer_its_share(client: Client, groups: Stub) -> None:
    await create(groups, None, start=orders_only(), consumer_strategy="Pinned")
    async with AsyncExitStack() as stack:
        (first,) = await consumers(stack, groups, None, 500)
        for number in range(10):
            await append(client, f"order-{number}")
        await first.ack(*await first.take(10))
        await in_flight_of(groups, 0)
        await consumers(stack, groups, None, 500)
        for number in range(10):
            await append(client, f"order-{number}")

        assert await in_flight_of(groups, 10) == [5, 5]


async def test_pinned_waits_for_a_full_consumer_while_others_go_on(client: Client, groups: Stub) -> None:
    await create(groups, "links", consumer_strategy="Pinned", resolve_links=True)
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, "links", 1, 10)
        for name in ("a", "b"):
            await append(client, name, 2)
        for target in ("0@a", "1@a", "0@b", "1@b"):
            link = event("$>", target.encode(), content_type="application/octet-stream")
            await client.append_to_stream("links", current_version=StreamState.ANY, events=[link])
        (first,) = await one.take(1)
        others = await two.take(2)
        assert (streams([first]), revisions([first])) == ({"a"}, [0])
        assert (streams(others), revisions(others)) == ({"b"}, [0, 1])
        assert (await info(groups, "links")).read_buffer_count == 1
        await one.ack(first)
        (second,) = await one.take(1)
        assert (streams([second]), revisions([second])) == ({"a"}, [1])


async def test_what_pinned_holds_back_no_checkpoint_passes(client: Client, groups: Stub) -> None:
    await create(groups, "links", consumer_strategy="Pinned", resolve_links=True, max_checkpoint_count=1)
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, "links", 1, 10)
        for target in ("0@a", "1@a", "0@b"):
            await append(client, target[-1])
            link = event("$>", target.encode(), content_type="application/octet-stream")
            await client.append_to_stream("links", current_version=StreamState.ANY, events=[link])
        await one.take(1)
        (other,) = await two.take(1)
        await two.ack(other)
        await until_info(groups, "links", outstanding_messages_count=1)
        assert (await info(groups, "links")).last_checkpointed_event_position == ""


async def test_pinned_by_correlation(client: Client, groups: Stub) -> None:
    await create(groups, None, start=orders_only(), consumer_strategy="PinnedByCorrelation")
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, None, 500, 500)
        for number in range(24):
            metadata = json.dumps({"$correlationId": f"c{number % 8}"}).encode()
            new = event(metadata=metadata)
            await client.append_to_stream(f"order-{number}", current_version=StreamState.ANY, events=[new])
        counts = await in_flight_of(groups, 24)
        taken = [await one.take(counts[0]), await two.take(counts[1])]

    first, second = ({one.event.custom_metadata for one in some} for some in taken)
    assert not first & second
    assert len(first) == len(second) == 4


async def test_what_a_consumer_leaves_behind_goes_to_another(client: Client, groups: Stub) -> None:
    await create(groups, consumer_strategy="DispatchToSingle")
    await append(client, count=4)
    async with consuming(groups) as leaver:
        taken = await leaver.take(4)
        await leaver.ack(taken[1])
        await until_info(groups, outstanding_messages_count=3)
    async with consuming(groups) as heir:
        rest = await heir.take(3)

    assert revisions(rest) == [0, 2, 3]
    assert [one.retry_count for one in rest] == [1, 1, 1]


async def test_leaving_is_no_reason_to_park(client: Client, groups: Stub) -> None:
    await create(groups, max_retry_count=0)
    await append(client)
    for expected in range(3):
        async with consuming(groups) as consumer:
            (one,) = await consumer.take(1)
            assert one.retry_count == expected
        await until_info(groups, outstanding_messages_count=0)
    assert (await info(groups)).parked_message_count == 0


async def test_a_consumer_may_ack_for_another(client: Client, groups: Stub) -> None:
    await create(groups, consumer_strategy="DispatchToSingle")
    async with AsyncExitStack() as stack:
        one, two = await consumers(stack, groups, "s", 1, 1)
        await append(client, count=3)
        first = await one.take(1)
        await two.take(1)
        await two.ack(*first)
        assert revisions(await one.take(1)) == [2]


@pytest.mark.parametrize("count", [2, 5])
async def test_groups_do_not_share(client: Client, groups: Stub, count: int) -> None:
    async with AsyncExitStack() as stack:
        members = []
        for number in range(count):
            await create(groups, group=str(number))
            members.append(await stack.enter_async_context(consuming(groups, group=str(number))))
        await append(client, count=3)
        for member in members:
            assert revisions(await member.take(3)) == [0, 1, 2]
