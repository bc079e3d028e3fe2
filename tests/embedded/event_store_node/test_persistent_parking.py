"""Parked messages: how they are written, counted and replayed."""

import json
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import NotFound
from esdbclient.protos.Grpc import persistent_pb2
from node_support import EMPTY, until
from persistent_support import (
    Consumer,
    Nack,
    Stub,
    append,
    consuming,
    create,
    info,
    named,
    replay,
    revisions,
    tick,
    until_info,
)

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.persistent import buffers, parking
from embedded.event_store_node.persistent.message import message_id

Client = AsyncEventStoreDBClient
PARKED = "$persistentsubscription-s::g-parked"


@pytest.fixture
async def consumer(client: Client, groups: Stub) -> AsyncIterator[Consumer]:
    """A consumer of a group of which it has parked the first three events."""
    await create(groups, max_retry_count=0)
    await append(client, count=3)
    async with consuming(groups) as consumer:
        await consumer.nack(Nack.Park, *await consumer.take(3), reason="bad luck")
        await until_info(groups, parked_message_count=3, outstanding_messages_count=0)
        yield consumer


async def test_a_parked_message_is_a_link_with_the_reason(client: Client, groups: Stub, consumer: Consumer) -> None:
    parked = [one async for one in await client.read_stream(PARKED)]

    assert [(one.type, one.content_type) for one in parked] == [("$>", "application/octet-stream")] * 3
    assert [one.data for one in parked] == [b"0@s", b"1@s", b"2@s"]
    metadata = json.loads(parked[2].metadata)
    assert metadata["reason"] == "Client explicitly NAK'ed message.\nbad luck"
    assert metadata["subscriptionEventNumber"] == 2
    assert "added" in metadata


async def test_a_message_parked_by_retries_says_so(client: Client, groups: Stub, consumer: Consumer) -> None:
    await append(client)
    await consumer.nack(Nack.Retry, *await consumer.take(1))
    await until_info(groups, parked_message_count=4)

    (last,) = [one async for one in await client.read_stream(PARKED, backwards=True, limit=1)]
    assert json.loads(last.metadata)["reason"] == "Reached retry count of 0"


async def test_replayed_messages_come_as_resolved_links(client: Client, groups: Stub, consumer: Consumer) -> None:
    await replay(groups)
    again = await consumer.take(3)

    assert revisions(again) == [0, 1, 2]
    assert [one.event.stream_identifier.stream_name for one in again] == [b"s"] * 3
    assert [one.link.stream_identifier.stream_name.decode() for one in again] == [PARKED] * 3
    assert [one.retry_count for one in again] == [0, 0, 0]
    await consumer.ack(*again)
    await until_info(groups, parked_message_count=0, outstanding_messages_count=0)

    async def is_truncated() -> bool:
        metadata, _ = await client.get_stream_metadata(PARKED)
        return metadata.get("$tb") == 3

    await until(is_truncated)


async def test_a_replay_may_stop_earlier(groups: Stub, consumer: Consumer) -> None:
    await replay(groups, stop_at=2)
    assert revisions(await consumer.take(2)) == [0, 1]
    await until_info(groups, parked_message_count=1)
    await replay(groups, stop_at=1)  # what is replayed does not come back
    await replay(groups)
    assert revisions(await consumer.take(1)) == [2]
    await until_info(groups, parked_message_count=0)


async def test_a_replayed_message_may_be_parked_again(client: Client, groups: Stub, consumer: Consumer) -> None:
    await replay(groups)
    again = await consumer.take(3)
    await consumer.nack(Nack.Park, again[1])
    await consumer.ack(again[0], again[2])
    await until_info(groups, parked_message_count=1, outstanding_messages_count=0)
    await replay(groups)
    assert revisions(await consumer.take(1)) == [1]


async def test_a_replay_stops_at_no_negative_revision(groups: Stub, consumer: Consumer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await replay(groups, stop_at=-1)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


async def test_replaying_nothing(client: Client, groups: Stub) -> None:
    await create(groups)
    await replay(groups)
    assert (await info(groups)).status == "Live"


async def test_a_late_answer_parks_nothing_for_the_next_group(
    node: EventStoreNode, client: Client, groups: Stub, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(client)
    (last,) = await consumer.take(1)
    group = node.persistent_subscriptions.group("s", "g")
    # As with a consumer that takes its messages so slowly that it is not told yet, while its answers come.
    monkeypatch.setattr(group, "disconnect", lambda consumer: None)
    options = named(persistent_pb2.DeleteReq.Options)
    await groups.Delete(persistent_pb2.DeleteReq(options=options))
    group.park([message_id(last.event.id)], "too late")
    await create(groups)

    assert (await info(groups)).parked_message_count == 0


async def test_deleting_the_parked_stream_forgets_the_messages(
    client: Client, groups: Stub, consumer: Consumer
) -> None:
    await client.delete_stream(PARKED, current_version=StreamState.ANY)
    assert (await info(groups)).parked_message_count == 0


async def test_a_restart_parks_what_was_replayed_and_not_done_with(
    node: EventStoreNode, groups: Stub, consumer: Consumer
) -> None:
    await replay(groups)
    again = await consumer.take(3)
    await consumer.ack(again[0], again[2])
    await until_info(groups, parked_message_count=0, outstanding_messages_count=1)
    tick(node)
    await replay(groups)
    await until_info(groups, parked_message_count=0, outstanding_messages_count=1, status="Live")
    await groups.RestartSubsystem(EMPTY)

    await until_info(groups, parked_message_count=2)
    async with consuming(groups) as heir:
        assert revisions(await heir.take(3)) == [0, 1, 2], "they were parked after the checkpoint"
        await replay(groups)
        last = await heir.take(2)
        assert revisions(last) == [1, 2]
        await heir.nack(Nack.Park, last[0])
        await heir.ack(last[1])
        await until_info(groups, parked_message_count=1)


async def test_a_deleted_parked_stream_is_not_opened_again_by_its_replay(
    client: Client, groups: Stub, consumer: Consumer
) -> None:
    await replay(groups, stop_at=2)
    again = await consumer.take(2)
    await client.delete_stream(PARKED, current_version=StreamState.ANY)
    await consumer.ack(*again)
    await until_info(groups, outstanding_messages_count=0)
    await append(client, "barrier")

    with pytest.raises(NotFound):
        [one async for one in await client.read_stream(PARKED)]
    assert (await info(groups)).parked_message_count == 0


async def test_large_parked_messages_are_replayed_few_at_a_time(
    node: EventStoreNode, groups: Stub, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "MAX_BUFFERED_BYTES", 1)
    monkeypatch.setattr(parking, "_PAGE_EVENTS", 1)
    await replay(groups)
    assert revisions(await consumer.take(3)) == [0, 1, 2]
    await until_info(groups, parked_message_count=0, status="Live")
    consumer.cancel()
    await until_info(groups, outstanding_messages_count=0, retry_buffer_count=3)


async def test_the_client_replays(client: Client, groups: Stub, consumer: Consumer) -> None:
    await client.replay_parked_events("g", "s")
    assert revisions(await consumer.take(3)) == [0, 1, 2]


async def test_more_messages_than_the_buffer_holds_are_replayed(client: Client, groups: Stub) -> None:
    await create(groups, history_buffer_size=30, read_batch_size=20)
    await append(client, count=250)
    async with consuming(groups, buffer_size=50) as consumer:
        for _ in range(10):
            await consumer.nack(Nack.Park, *await consumer.take(25))
        await until_info(groups, parked_message_count=250)
    await replay(groups)
    assert "ReplayingParkedMessages" in (await info(groups)).status
    assert (await info(groups)).retry_buffer_count < 150
    async with consuming(groups, buffer_size=50) as consumer:
        again = []
        for _ in range(10):
            again += await consumer.take(25)
            await consumer.ack(*again[-25:])
    assert revisions(again) == list(range(250))

    async def is_over() -> bool:
        now = await info(groups)
        return now.parked_message_count == 0 and now.status == "Live"

    await until(is_over)
