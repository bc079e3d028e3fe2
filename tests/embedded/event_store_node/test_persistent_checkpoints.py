"""Checkpoints, the configuration, and restarts of the node that find both again."""

from pathlib import Path

import pytest
from esdbclient import AsyncEventStoreDBClient
from node_support import EMPTY, until
from persistent_support import (
    Nack,
    Stub,
    append,
    consuming,
    create,
    info,
    replay,
    revisions,
    running,
    tick,
    until_info,
)

from embedded.event_store_node import EventStoreNode

Client = AsyncEventStoreDBClient
CHECKPOINTS = "$persistentsubscription-s::g-checkpoint"


async def checkpoint(groups: Stub, stream: str | None = "s") -> str:
    return (await info(groups, stream)).last_checkpointed_event_position


# When a checkpoint is written


async def test_at_the_maximum_count(client: Client, groups: Stub) -> None:
    await create(groups, max_checkpoint_count=3, checkpoint_after_ms=0)
    await append(client, count=6)
    async with consuming(groups) as consumer:
        taken = await consumer.take(6)
        await consumer.ack(*taken[:2])
        await until_info(groups, outstanding_messages_count=4)
        assert await checkpoint(groups) == ""
        await consumer.ack(taken[2])
        await until_info(groups, last_checkpointed_event_position="2")

    (written,) = [one async for one in await client.read_stream(CHECKPOINTS)]
    assert (written.type, written.content_type, written.data) == ("$SubscriptionCheckpoint", "application/json", b'"2"')
    metadata, _ = await client.get_stream_metadata(CHECKPOINTS)
    assert metadata["$maxCount"] == 2


async def test_on_a_tick_after_the_time_and_the_minimum_count(
    node: EventStoreNode, client: Client, groups: Stub
) -> None:
    await create(groups, min_checkpoint_count=2, checkpoint_after_ms=5_000)
    await append(client, count=6)
    async with consuming(groups) as consumer:
        taken = await consumer.take(6)
        await consumer.ack(taken[0])
        await until_info(groups, outstanding_messages_count=5)
        tick(node, 10)
        assert await checkpoint(groups) == "", "one is below the minimum"
        await consumer.ack(taken[1])
        await until_info(groups, outstanding_messages_count=4)
        tick(node, 10)
        await until_info(groups, last_checkpointed_event_position="1")
        await consumer.ack(*taken[2:])
        await until_info(groups, outstanding_messages_count=0)
        tick(node, 14)
        assert await checkpoint(groups) == "1", "it is too soon"
        tick(node, 15)
        await until_info(groups, last_checkpointed_event_position="5")


async def test_never_by_time(node: EventStoreNode, client: Client, groups: Stub) -> None:
    await create(groups, min_checkpoint_count=1, checkpoint_after_ms=0)
    await append(client)
    async with consuming(groups) as consumer:
        await consumer.ack(*await consumer.take(1))
        await until_info(groups, outstanding_messages_count=0)
        tick(node, 10**6)
        assert await checkpoint(groups) == ""


async def test_before_the_first_event_that_is_not_done(client: Client, groups: Stub) -> None:
    await create(groups, max_checkpoint_count=1)
    await append(client, count=5)
    async with consuming(groups, buffer_size=5) as consumer:
        taken = await consumer.take(5)
        await consumer.ack(taken[0], taken[2], taken[4])
        await until_info(groups, last_checkpointed_event_position="0")
        await consumer.nack(Nack.Retry, taken[1])
        await consumer.take(1)
        assert await checkpoint(groups) == "0"
        await consumer.ack(taken[1])
        await until_info(groups, last_checkpointed_event_position="2")
        await consumer.nack(Nack.Park, taken[3])
        await until_info(groups, last_checkpointed_event_position="4")


async def test_events_that_were_filtered_out_count(client: Client, groups: Stub) -> None:
    await client.create_subscription_to_all(
        "g", filter_include=["Wanted"], min_checkpoint_count=1, max_checkpoint_count=5
    )
    last = [await append(client, "s", 1, "Unwanted") for _ in range(12)][-1]
    await until(lambda: _is_beyond(groups, last // 2))

    await append(client, "s", 1, "Wanted")
    for _ in range(12):
        await append(client, "s", 1, "Unwanted")
    before = await checkpoint(groups, None)
    async with consuming(groups, None) as consumer:
        (one,) = await consumer.take(1)
        assert int(before.split("/")[0][2:]) < one.commit_position, "the wanted event is not done"
        await consumer.ack(one)
        await until(lambda: _is_beyond(groups, one.commit_position))


async def _is_beyond(groups: Stub, position: int) -> bool:
    text = await checkpoint(groups, None)
    return bool(text) and int(text.split("/")[0][2:]) >= position


# Beginning again from the log


async def test_a_restart_keeps_groups_checkpoints_and_parked_messages(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, client, groups):
        await append(client, count=6)
        await client.create_subscription_to_all("g", filter_include=["Wanted,.*"], consumer_strategy="Pinned")
        await create(groups, max_checkpoint_count=2, message_timeout_ms=1234, resolve_links=True)
        before = [await info(groups, None), await info(groups)]
        async with consuming(groups) as consumer:
            taken = await consumer.take(6)
            await consumer.ack(*taken[:2])
            await consumer.nack(Nack.Park, taken[4])
            await until_info(groups, last_checkpointed_event_position="1", parked_message_count=1)
    async with running(tmp_path) as (_, client, groups):
        after = [await info(groups, None), await info(groups)]
        for old, new in zip(before, after, strict=True):
            for field in settings_fields():
                assert getattr(old, field) == getattr(new, field), field
        assert (after[1].last_checkpointed_event_position, after[1].parked_message_count) == ("1", 1)
        async with consuming(groups) as consumer:
            taken = await consumer.take(4)
            assert revisions(taken) == [2, 3, 4, 5]
            assert [one.retry_count for one in taken] == [0, 0, 0, 0]
            await replay(groups)
            assert revisions(await consumer.take(1)) == [4]
        await append(client, type_="Wanted,1")
        async with consuming(groups, None) as consumer:
            assert [one.event.metadata["type"] for one in await consumer.take(1)] == ["Wanted,1"]


def settings_fields() -> list[str]:
    return [
        "event_source", "group_name", "start_from", "resolve_link_tos", "message_timeout_milliseconds",
        "extra_statistics", "max_retry_count", "live_buffer_size", "buffer_size", "read_batch_size",
        "check_point_after_milliseconds", "min_check_point_count", "max_check_point_count", "named_consumer_strategy",
        "max_subscriber_count",
    ]  # fmt: skip


async def test_a_group_from_the_end_remembers_where_that_was(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, client, groups):
        await append(client, count=3)
        await client.create_subscription_to_stream("g", "s", from_end=True)
        await client.create_subscription_to_stream("early", "later", from_end=True)
        await append(client, count=2)
        await append(client, "later", count=1)
    async with running(tmp_path) as (_, client, groups):
        assert (await info(groups)).start_from == "-1"
        async with consuming(groups) as consumer, consuming(groups, "later", "early") as other:
            assert revisions(await consumer.take(2)) == [3, 4]
            assert revisions(await other.take(1)) == [0]


@pytest.mark.parametrize("how", ["update", "restart"])
async def test_the_checkpoint_wins_over_the_start(client: Client, groups: Stub, how: str) -> None:
    await append(client, count=5)
    await create(groups, max_checkpoint_count=1)
    async with consuming(groups) as consumer:
        await consumer.ack(*(await consumer.take(5))[:2])
        await until_info(groups, last_checkpointed_event_position="1")
    if how == "update":
        await client.update_subscription_to_stream("g", "s", stream_position=4)
    else:
        await groups.RestartSubsystem(EMPTY)

    async with consuming(groups) as consumer:
        assert revisions(await consumer.take(3)) == [2, 3, 4]
