"""The node is killed under consumers: what was not acknowledged comes again, what a checkpoint covers does not."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient
from node_support import NodeProcess, connected
from persistent_support import Nack, Stub, append, consuming, create, info, replay, revisions, until_info


@asynccontextmanager
async def running(node: NodeProcess) -> AsyncIterator[tuple[AsyncEventStoreDBClient, Stub]]:
    await asyncio.to_thread(node.start)
    try:
        async with connected(node.uri) as client, grpc.aio.insecure_channel(f"127.0.0.1:{node.port}") as channel:
            yield client, Stub(channel)
    finally:
        await asyncio.to_thread(node.kill)


async def test_what_was_not_acknowledged_comes_again(node_process: NodeProcess) -> None:
    async with running(node_process) as (client, groups):
        await append(client, count=10)
        await create(groups, max_checkpoint_count=1)
        async with consuming(groups, buffer_size=10) as consumer:
            taken = await consumer.take(10)
            await consumer.ack(*taken[:4], taken[6])
            await consumer.nack(Nack.Park, taken[5])
            await until_info(groups, last_checkpointed_event_position="3", parked_message_count=1)
            await asyncio.to_thread(node_process.kill)
    async with running(node_process) as (client, groups):
        got = await info(groups)
        assert (got.last_checkpointed_event_position, got.parked_message_count) == ("3", 1)
        async with consuming(groups, buffer_size=10) as consumer:
            taken = await consumer.take(6)
            assert revisions(taken) == [4, 5, 6, 7, 8, 9]
            assert {one.retry_count for one in taken} == {0}
            await consumer.ack(*taken)
            await replay(groups)
            assert revisions(await consumer.take(1)) == [5]


async def test_a_clean_stop_drops_the_consumers_and_logs_nothing(node_process: NodeProcess) -> None:
    async with running(node_process) as (client, groups):
        await append(client, count=3)
        await create(groups)
        async with consuming(groups, buffer_size=2) as consumer:
            await consumer.ack(*(await consumer.take(2))[:1])
            code, errors = await asyncio.to_thread(node_process.terminate)
            error = await consumer.end()

    assert (code, errors) == (0, "")
    assert error.code() is grpc.StatusCode.CANCELLED
    assert error.details() == "Subscription group g on stream s was dropped."


async def test_consumers_that_leave_are_not_logged(node_process: NodeProcess) -> None:
    async with running(node_process) as (client, groups):
        await append(client, count=200)
        await create(groups)
        for _ in range(20):
            async with consuming(groups, buffer_size=100) as consumer:
                await consumer.take(1)
        await until_info(groups, total_in_flight_messages=0)
        assert await asyncio.to_thread(node_process.terminate) == (0, "")


async def rounds(node: NodeProcess, count: int, seed: int) -> None:
    chance = random.Random(seed)
    written = 0
    handled: set[int] = set()
    checkpoint = -1
    for number in range(count):
        async with running(node) as (client, groups):
            if number == 0:
                await create(groups, max_checkpoint_count=5, history_buffer_size=50)
            assert int((await info(groups)).last_checkpointed_event_position or -1) >= checkpoint
            await append(client, count=40)
            written += 40
            async with consuming(groups, buffer_size=8) as consumer:
                for turn in range(chance.randint(1, 12)):
                    taken = await consumer.take(chance.randint(1, 5))
                    assert turn or min(revisions(taken)) > checkpoint, "a checkpoint covers it"
                    await consumer.ack(*taken)
                    handled |= set(revisions(taken))
                checkpoint = int((await info(groups)).last_checkpointed_event_position or -1)
                await asyncio.to_thread(node.kill)
    async with running(node) as (client, groups), consuming(groups, buffer_size=50) as consumer:
        rest = written - 1 - int((await info(groups)).last_checkpointed_event_position or -1)
        for _ in range(rest):
            (one,) = await consumer.take(1)
            await consumer.ack(one)
            handled.add(one.event.stream_revision)
    assert handled == set(range(written)), "an event is lost"


async def test_killed_at_any_moment(node_process: NodeProcess) -> None:
    await rounds(node_process, 3, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
async def test_killed_at_many_moments(node_process: NodeProcess, seed: int) -> None:
    await rounds(node_process, 20, seed)
