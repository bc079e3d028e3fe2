"""
The node is killed at random moments under concurrent writers: nothing acknowledged is lost or doubled, and
subscribers that resume from their checkpoint miss and repeat nothing.
"""

import asyncio
import random
from uuid import UUID

import pytest
from crash_subscribers import Subscriber, ToAll, ToStream, ToType
from esdbclient import AsyncEventStoreDBClient, NewEvent, RecordedEvent, StreamState
from node_support import FIRST_STREAMS, NodeProcess, connected, event

from embedded.event_store_node.maintenance.commands import verify_command

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
            types = self._random.choices(["Happened", "Rare"], [9, 1], k=self._random.choice([1, 1, 3]))
            new = [event(type_, self._random.randbytes(200)) for type_ in types]
            shared = self._random.random() < 0.3
            self.unanswered = ("shared", StreamState.ANY, new) if shared else (self.stream, self.version, new)
        stream, version, new = self.unanswered
        # Past the client's own retries: each crash is to be met here.
        await client._connection.streams.batch_append(stream, version, new)
        self.acknowledged += [one.id for one in new]
        if stream == self.stream:
            self.version = (version if isinstance(version, int) else -1) + len(new)
        self.unanswered = None


async def write_until_killed(
    node: NodeProcess, writers: list[Writer], subscribers: list[Subscriber], kill_after: int
) -> None:
    answered = 0
    enough = asyncio.Event()

    async def work(writer: Writer, client: AsyncEventStoreDBClient) -> None:
        nonlocal answered
        while True:
            await writer.write(client)
            answered += 1
            if answered >= kill_after:
                enough.set()

    async with connected(node.uri) as client:
        tasks = [asyncio.create_task(work(writer, client)) for writer in writers]
        tasks += [asyncio.create_task(subscriber.follow(client)) for subscriber in subscribers]
        await asyncio.wait_for(enough.wait(), 30)
        await asyncio.to_thread(node.kill)
        await asyncio.wait(tasks, timeout=30)
        assert all(task.done() and task.exception() for task in tasks)


async def check(
    node: NodeProcess, writers: list[Writer], subscribers: list[Subscriber], before: Logged
) -> list[RecordedEvent]:
    """What must hold after a restart and the writers' retries. Returns the whole log."""
    async with connected(node.uri) as client:
        for writer in writers:
            if writer.unanswered is not None:
                await writer.write(client)
        log = [e async for e in await client.read_all(filter_exclude=()) if e.stream_name not in FIRST_STREAMS]
    ids = [e.id for e in log]
    acknowledged = [id_ for writer in writers for id_ in writer.acknowledged]
    assert len(ids) == len(set(ids)), "an event is there twice"
    assert set(ids) == set(acknowledged), "an event is lost, or was never written"
    assert places(log)[: len(before)] == before, "history changed"
    for subscriber in subscribers:
        subscriber.check(log)
    for writer in writers:
        own = [e.id for e in log if e.stream_name == writer.stream]
        owned = set(own)
        assert own == [id_ for id_ in writer.acknowledged if id_ in owned]
    by_stream: dict[str, list[int]] = {}
    for e in log:
        by_stream.setdefault(e.stream_name, []).append(e.stream_position)
    assert all(revisions == list(range(len(revisions))) for revisions in by_stream.values())
    return log


def places(log: list[RecordedEvent]) -> Logged:
    return [(e.commit_position or 0, e.id) for e in log]


async def crash_rounds(node: NodeProcess, rounds: int, seed: int) -> None:
    randomness = random.Random(seed)
    writers = [Writer(number) for number in range(WRITERS)]
    to_rare = ToType("Rare")
    subscribers = [ToAll(), to_rare, ToStream("shared"), ToStream("own-0")]
    log: list[RecordedEvent] = []
    node.start()
    for _ in range(rounds):
        await write_until_killed(node, writers, subscribers, randomness.randint(1, 150))
        node.start()
        log = await check(node, writers, subscribers, places(log))
    async with connected(node.uri) as client:
        await asyncio.gather(*(subscriber.catch_up(client, log) for subscriber in subscribers))
    assert verify_command(["--data-dir", str(node.data_dir)]) == 0
    assert to_rare.resumed_from_checkpoint_message, "no crash met a checkpoint between two events"


async def test_crashes(node_process: NodeProcess) -> None:
    await crash_rounds(node_process, rounds=12, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 7))
async def test_more_crashes(node_process: NodeProcess, seed: int) -> None:
    """Forty rounds for each of five seeds: 200 in all."""
    await crash_rounds(node_process, rounds=40, seed=seed)
