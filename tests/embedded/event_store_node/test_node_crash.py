"""The node is killed at random moments under concurrent writers: nothing acknowledged is lost or doubled."""

import asyncio
import random
from uuid import UUID

import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from node_support import NodeProcess, connected, event

WRITERS = 8
Logged = list[tuple[int, UUID]]


class Writer:
    """Appends to a stream of its own, and by turns to one shared with all writers; remembers what is owed."""

    def __init__(self, number: int) -> None:
        self.stream = f"own-{number}"
        self.version: StreamState | int = StreamState.NO_STREAM
        self.acknowledged: list[UUID] = []
        self.unanswered: tuple[str, StreamState | int, list[NewEvent]] | None = None
        self._random = random.Random(number)

    async def write(self, client: AsyncEventStoreDBClient) -> None:
        """One append: first of all the one whose answer never came."""
        if self.unanswered is None:
            new = [event(data=self._random.randbytes(200)) for _ in range(self._random.choice([1, 1, 3]))]
            shared = self._random.random() < 0.3
            self.unanswered = ("shared", StreamState.ANY, new) if shared else (self.stream, self.version, new)
        stream, version, new = self.unanswered
        # Past the client's own retries: each crash is to be met here.
        await client._connection.streams.batch_append(stream, version, new)
        self.acknowledged += [one.id for one in new]
        if stream == self.stream:
            self.version = (version if isinstance(version, int) else -1) + len(new)
        self.unanswered = None


async def write_until_killed(node: NodeProcess, writers: list[Writer], kill_after: int, seen: Logged) -> None:
    answered = 0
    enough = asyncio.Event()

    async def work(writer: Writer, client: AsyncEventStoreDBClient) -> None:
        nonlocal answered
        while True:
            await writer.write(client)
            answered += 1
            if answered >= kill_after:
                enough.set()

    async def watch(client: AsyncEventStoreDBClient) -> None:
        start = seen[-1][0] if seen else None
        async for e in await client.subscribe_to_all(commit_position=start):
            assert e.commit_position is not None
            seen.append((e.commit_position, e.id))

    async with connected(node.uri) as client:
        tasks = [asyncio.create_task(work(writer, client)) for writer in writers]
        tasks.append(asyncio.create_task(watch(client)))
        await asyncio.wait_for(enough.wait(), 30)
        await asyncio.to_thread(node.kill)
        await asyncio.wait(tasks, timeout=30)
        assert all(task.done() and task.exception() for task in tasks)


async def check(node: NodeProcess, writers: list[Writer], before: Logged, seen: Logged) -> Logged:
    """What must hold after a restart and the writers' retries. Returns the whole log."""
    async with connected(node.uri) as client:
        for writer in writers:
            if writer.unanswered is not None:
                await writer.write(client)
        events = [e async for e in await client.read_all(filter_exclude=())]
    log = [(e.commit_position or 0, e.id) for e in events]
    ids = [id_ for _, id_ in log]
    acknowledged = [id_ for writer in writers for id_ in writer.acknowledged]
    assert len(ids) == len(set(ids)), "an event is there twice"
    assert set(ids) == set(acknowledged), "an event is lost, or was never written"
    assert log[: len(before)] == before, "history changed"
    assert log[: len(seen)] == seen, "a subscriber saw what never was"
    for writer in writers:
        own = [e.id for e in events if e.stream_name == writer.stream]
        owned = set(own)
        assert own == [id_ for id_ in writer.acknowledged if id_ in owned]
    for stream in {e.stream_name for e in events}:
        revisions = [e.stream_position for e in events if e.stream_name == stream]
        assert revisions == list(range(len(revisions)))
    return log


async def crash_rounds(node: NodeProcess, rounds: int, seed: int) -> None:
    randomness = random.Random(seed)
    writers = [Writer(number) for number in range(WRITERS)]
    log: Logged = []
    seen: Logged = []
    node.start()
    for _ in range(rounds):
        await write_until_killed(node, writers, randomness.randint(1, 150), seen)
        node.start()
        log = await check(node, writers, log, seen)


async def test_crashes(node_process: NodeProcess) -> None:
    await crash_rounds(node_process, rounds=20, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 8))
async def test_more_crashes(node_process: NodeProcess, seed: int) -> None:
    await crash_rounds(node_process, rounds=50, seed=seed)
