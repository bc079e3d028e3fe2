"""The disk is full for a while: changes are refused, nothing is lost, and all goes on when there is room."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.protos.Grpc import persistent_pb2
from node_support import until
from persistent_support import (
    Nack,
    Stub,
    append,
    consuming,
    create,
    info,
    named,
    revisions,
    tick,
    until_info,
)

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.links import link_target
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.persistent import message

DiskFull = Callable[[], AbstractContextManager[None]]
DELETE = persistent_pb2.DeleteReq(options=named(persistent_pb2.DeleteReq.Options))


@pytest.fixture
def disk_full(node: EventStoreNode, monkeypatch: pytest.MonkeyPatch) -> DiskFull:
    """While it is entered, no write succeeds."""

    def fail(batch: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    @contextmanager
    def full() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(node._log.writer._log, "write", fail)
            yield

    return full


async def test_a_group_that_cannot_be_kept_is_not_created(groups: Stub, disk_full: DiskFull) -> None:
    with disk_full(), pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(groups)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await create(groups)
    assert (await info(groups)).status == "Live"


async def test_a_group_whose_deletion_cannot_be_kept_stays(
    client: AsyncEventStoreDBClient, groups: Stub, disk_full: DiskFull
) -> None:
    await create(groups)
    await append(client)
    with disk_full(), pytest.raises(grpc.aio.AioRpcError) as caught:
        await groups.Delete(DELETE)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    async with consuming(groups) as consumer:
        assert revisions(await consumer.take(1)) == [0]
    await groups.Delete(DELETE)


async def test_what_cannot_be_parked_is_retried(
    client: AsyncEventStoreDBClient, groups: Stub, disk_full: DiskFull
) -> None:
    await create(groups)
    await append(client)
    async with consuming(groups) as consumer:
        with disk_full():
            await consumer.nack(Nack.Park, *await consumer.take(1))
            (again,) = await consumer.take(1)
        await consumer.nack(Nack.Park, again)
        await until_info(groups, parked_message_count=1, outstanding_messages_count=0)

    assert again.retry_count == 1


@pytest.mark.parametrize("is_live", [True, False])
async def test_a_link_that_cannot_be_read_now_is_not_passed_over(
    node: EventStoreNode,
    client: AsyncEventStoreDBClient,
    groups: Stub,
    monkeypatch: pytest.MonkeyPatch,
    is_live: bool,
) -> None:
    await append(client, "source", 4)
    links = [NewEvent(type="$>", data=b"%d@source" % n, content_type="application/octet-stream") for n in range(4)]
    tries = 0

    def fails_at_first(reader: Reader, link: LoggedEvent) -> LoggedEvent | None:
        nonlocal tries
        tries += 1
        if tries == 3:
            raise sqlite3.OperationalError("disk I/O error")
        return link_target(reader, link)

    monkeypatch.setattr(message, "link_target", fails_at_first)
    if is_live:
        await create(groups, "links", resolve_links=True, max_checkpoint_count=1)
    await client.append_to_stream("links", current_version=StreamState.ANY, events=links)
    if not is_live:
        await create(groups, "links", resolve_links=True, max_checkpoint_count=1)
    async with consuming(groups, "links") as consumer:
        tick(node)
        taken = await consumer.take(4)
        assert revisions(taken) == [0, 1, 2, 3]
        await consumer.ack(*taken)
        await until_info(groups, "links", last_checkpointed_event_position="3", total_items=4)


async def test_a_checkpoint_is_written_once_there_is_room(
    node: EventStoreNode, client: AsyncEventStoreDBClient, groups: Stub, disk_full: DiskFull
) -> None:
    await create(groups, max_checkpoint_count=1)
    await append(client)
    async with consuming(groups) as consumer:
        with disk_full():
            await consumer.ack(*await consumer.take(1))

            async def is_given_up() -> bool:
                group = node.persistent_subscriptions.group("s", "g")
                return not group.deliveries.outstanding and not group.checkpoints.is_saving

            await until(is_given_up)
        assert (await info(groups)).last_checkpointed_event_position == ""
        tick(node)
        await until_info(groups, last_checkpointed_event_position="0")
    metadata, _ = await client.get_stream_metadata("$persistentsubscription-s::g-checkpoint")
    assert metadata["$maxCount"] == 2
