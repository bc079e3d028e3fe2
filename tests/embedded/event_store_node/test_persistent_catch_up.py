"""From the log to live and back: everything in order, once, with bounded buffers."""

import asyncio

import pytest
from esdbclient import AsyncEventStoreDBClient
from node_support import EMPTY, until
from persistent_support import CreateReq, Stub, append, consuming, create, info, revisions, until_info

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.persistent import buffers

Client = AsyncEventStoreDBClient


async def test_history_longer_than_the_buffer(client: Client, groups: Stub) -> None:
    for _ in range(6):
        await append(client, count=500)
    await create(groups, history_buffer_size=100, read_batch_size=40)
    taken = []
    async with consuming(groups, buffer_size=60) as consumer:
        assert (await info(groups)).read_buffer_count <= 100
        while len(taken) < 3000:
            taken += await consumer.take(30)
            await consumer.ack(*taken[-30:])
            if len(taken) % 600 == 0:
                assert (await info(groups)).read_buffer_count <= 100
        await until_info(groups, status="Live", outstanding_messages_count=0)

    assert revisions(taken) == list(range(3000))


async def test_a_group_that_falls_behind_catches_up(client: Client, groups: Stub) -> None:
    await create(groups, history_buffer_size=50, read_batch_size=20)
    await append(client, count=10)
    await until_info(groups, status="Live", read_buffer_count=10, live_buffer_count=10)
    await append(client, count=490)
    await until_info(groups, status="Behind", read_buffer_count=50)
    async with consuming(groups, buffer_size=20) as consumer:
        taken = []
        while len(taken) < 500:
            taken += await consumer.take(10)
            await consumer.ack(*taken[-10:])
        await until_info(groups, status="Live")
        await append(client)
        taken += await consumer.take(1)

    assert revisions(taken) == list(range(501))


@pytest.mark.parametrize("stream", ["s", None])
async def test_events_written_while_a_group_catches_up(client: Client, groups: Stub, stream: str | None) -> None:
    options = CreateReq.AllOptions.FilterOptions
    start = {"start": EMPTY} if stream else {
        "start": EMPTY, "filter": options(event_type=options.Expression(prefix=["Happened"]))
    }  # fmt: skip
    await append(client, count=300)
    await create(groups, stream, start=start, history_buffer_size=30, read_batch_size=10)

    async def write() -> None:
        for _ in range(100):
            await append(client, "other", 1, "Else")
            await append(client, count=3)

    writing = asyncio.create_task(write())
    taken = []
    async with consuming(groups, stream, buffer_size=20) as consumer:
        while len(taken) < 600:
            taken += await consumer.take(1)
            await consumer.ack(taken[-1])
        await until_info(groups, stream, outstanding_messages_count=0, read_buffer_count=0)
    await writing

    assert revisions(taken) == list(range(600))


async def test_events_read_before_they_are_published_come_once(
    node: EventStoreNode, client: Client, groups: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[list[LoggedEvent]] = []
    with monkeypatch.context() as patch:
        patch.setattr(node._log.writer, "_on_commit", held.append)
        await append(client, count=3)
        await create(groups)
        await until_info(groups, status="Live", read_buffer_count=3)
    for events in held:
        node._log.broker.publish(events)
    await append(client)
    await until_info(groups, last_known_event_position="3")
    assert (await info(groups)).read_buffer_count == 4

    async with consuming(groups) as consumer:
        assert revisions(await consumer.take(4)) == [0, 1, 2, 3]


async def test_large_events_are_left_in_the_log(client: Client, groups: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "MAX_BUFFERED_BYTES", 1000)
    await append(client, count=100)
    await create(groups, read_batch_size=10)
    await until_info(groups, read_buffer_count=10)
    taken = []
    async with consuming(groups, buffer_size=10) as consumer:
        while len(taken) < 100:
            taken += await consumer.take(5)
            await consumer.ack(*taken[-5:])

    assert revisions(taken) == list(range(100))


async def test_a_filter_that_finds_little_in_a_long_log(client: Client, groups: Stub) -> None:
    for _ in range(4):
        await append(client, "s", 500, "Unwanted")
        await append(client, "s", 1, "Wanted")
    await client.create_subscription_to_all("g", filter_include=["Wanted"])
    async with consuming(groups, None) as consumer:
        assert revisions(await consumer.take(4)) == [500, 1001, 1502, 2003]
    await until_info(groups, None, status="Live")


async def test_what_a_filter_leaves_out_needs_no_room(client: Client, groups: Stub) -> None:
    await client.create_subscription_to_all("g", filter_include=["Wanted"], history_buffer_size=5, read_batch_size=4)
    await append(client, "s", 5, "Wanted")
    await until_info(groups, None, status="Live", read_buffer_count=5)
    await append(client, "s", 3, "Unwanted")
    await create(groups, "s", "late")
    await until_info(groups, "s", "late", read_buffer_count=8)

    assert (await info(groups, None)).status == "Live"
    await append(client, "s", 1, "Wanted")
    await until_info(groups, None, status="Behind")


async def test_a_truncated_stream_is_read_from_what_is_left(client: Client, groups: Stub) -> None:
    await append(client, count=10)
    await client.set_stream_metadata("s", metadata={"$tb": 7})
    await create(groups)
    async with consuming(groups) as consumer:
        assert revisions(await consumer.take(3)) == [7, 8, 9]
        await append(client)
        assert revisions(await consumer.take(1)) == [10]


async def test_a_consumer_that_reads_nothing_holds_up_no_other(client: Client, groups: Stub) -> None:
    await create(groups)
    async with consuming(groups, buffer_size=5), consuming(groups, buffer_size=5) as active:
        await append(client, count=50)
        taken = []
        while len(taken) < 45:
            taken += await active.take(1)
            await active.ack(taken[-1])

        async def rest_is_waiting() -> bool:
            return (await info(groups)).outstanding_messages_count == 5

        await until(rest_is_waiting)
