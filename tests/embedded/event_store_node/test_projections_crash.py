"""The node is killed while projections follow its writers: each event is linked once, in the order of the log."""

import asyncio
import random
from itertools import count

import pytest
from esdbclient import AsyncEventStoreDBClient, RecordedEvent, StreamState
from node_support import NodeProcess, connected, event
from projections_support import caught_up, enable, projections_at, read, reset

NAMES = ["$by_category", "$by_event_type", "$streams"]


async def write_until_killed(node: NodeProcess, kill_after: int, numbers: "count[int]") -> None:
    answered = 0
    enough = asyncio.Event()

    async def work(client: AsyncEventStoreDBClient, seed: int) -> None:
        nonlocal answered
        randomness = random.Random(seed)
        while True:
            stream = f"cat{randomness.randrange(2)}-{next(numbers) // 10}"
            new = [event(f"Type{randomness.randrange(3)}") for _ in range(randomness.choice([1, 1, 5]))]
            # Past the client's own retries: each crash is to be met here.
            await client._connection.streams.batch_append(stream, StreamState.ANY, new)
            answered += 1
            if answered >= kill_after:
                enough.set()

    async with connected(node.uri) as client:
        tasks = [asyncio.create_task(work(client, next(numbers))) for _ in range(4)]
        await asyncio.wait_for(enough.wait(), 30)
        await asyncio.to_thread(node.kill)
        await asyncio.wait(tasks, timeout=30)
        assert all(task.done() and task.exception() for task in tasks)


def targets(events: list[RecordedEvent]) -> list[str]:
    return [f"{e.stream_position}@{e.stream_name}" for e in events]


async def check(node: NodeProcess) -> None:
    """What must hold once the projections have caught up."""
    async with connected(node.uri) as client, projections_at(f"127.0.0.1:{node.port}") as projections:
        await caught_up(projections, *NAMES)
        log = [e async for e in await client.read_all()]
        for prefix in ("cat0", "cat1"):
            of_category = [e for e in log if e.stream_name.startswith(prefix + "-")]
            links = await read(client, f"$ce-{prefix}")
            assert [link.data.decode() for link in links] == targets(of_category)
        for type_ in ("Type0", "Type1", "Type2"):
            of_type = [e for e in log if e.type == type_]
            assert [link.data.decode() for link in await read(client, f"$et-{type_}")] == targets(of_type)
        firsts = [e for e in log if e.stream_position == 0]
        assert [link.data.decode() for link in await read(client, "$streams")] == targets(firsts)
        everything = [e.id async for e in await client.read_all(filter_exclude=())]
        assert len(everything) == len(set(everything))


async def crash_rounds(node: NodeProcess, rounds: int, seed: int) -> None:
    randomness = random.Random(seed)
    numbers = count()
    node.start()
    async with projections_at(f"127.0.0.1:{node.port}") as projections:
        await enable(projections, *NAMES)
    for _ in range(rounds):
        await write_until_killed(node, randomness.randint(1, 60), numbers)
        node.start()
        await check(node)


async def test_crashes(node_process: NodeProcess) -> None:
    await crash_rounds(node_process, rounds=3, seed=1)


async def test_a_crash_during_a_reset(node_process: NodeProcess) -> None:
    node_process.start()
    async with connected(node_process.uri) as client:
        async with projections_at(f"127.0.0.1:{node_process.port}") as projections:
            await enable(projections, "$by_category")
            for n in range(3):
                await client.append_to_stream(f"order-{n}", current_version=StreamState.ANY, events=[event()])
            await caught_up(projections, "$by_category")
            await reset(projections, "$by_category")
        node_process.kill()
    node_process.start()
    async with (
        connected(node_process.uri) as client,
        projections_at(f"127.0.0.1:{node_process.port}") as projections,
    ):
        await caught_up(projections, "$by_category")
        assert [e.data.decode() for e in await read(client, "$ce-order")] == [f"0@order-{n}" for n in range(3)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 6))
async def test_more_crashes(node_process: NodeProcess, seed: int) -> None:
    await crash_rounds(node_process, rounds=40, seed=seed)
