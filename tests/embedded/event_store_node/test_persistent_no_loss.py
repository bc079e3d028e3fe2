"""Consumers come, ack, nack and go at random: every event is handled at least once, whatever the strategy."""

import asyncio
import random

import pytest
from esdbclient import AsyncEventStoreDBClient
from node_support import EMPTY, until
from persistent_support import (
    Consumer,
    CreateReq,
    Nack,
    ReadEvent,
    Stub,
    append,
    consuming,
    create,
    info,
    replay,
    revisions,
    tick,
)

from embedded.event_store_node import EventStoreNode

EVENTS = 300
STREAM = "order-1"
ACTIONS = [Nack.Retry, Nack.Unknown, Nack.Park, Nack.Skip]


class Crowd:
    """Consumers that do as they please; remembers what they let go for good."""

    def __init__(self, groups: Stub, stream: str | None, seed: int) -> None:
        self.groups = groups
        self.stream = stream
        self.handled: set[int] = set()
        self._random = random.Random(seed)

    async def visit(self) -> None:
        """One consumer's whole life."""
        async with consuming(self.groups, self.stream, buffer_size=self._random.randint(1, 12)) as consumer:
            for _ in range(self._random.randint(1, 6)):
                try:
                    taken = await asyncio.wait_for(consumer.take(self._random.randint(1, 5)), 0.2)
                except TimeoutError:
                    return  # the rest is with others; a read that was broken off ends the call
                await self._answer(consumer, taken)
            if self._random.random() < 0.5:
                await consumer.close_sending()

    async def _answer(self, consumer: Consumer, taken: list[ReadEvent]) -> None:
        choice = self._random.random()
        if choice < 0.2:
            return  # and let it time out, or leave it behind
        if choice < 0.6:
            await consumer.ack(*taken)
            self.handled |= set(revisions(taken))
            return
        action = self._random.choice(ACTIONS)
        await consumer.nack(action, *taken)
        if action == Nack.Skip:
            self.handled |= set(revisions(taken))


@pytest.mark.parametrize("strategy", ["RoundRobin", "DispatchToSingle", "Pinned", "PinnedByCorrelation"])
async def test_nothing_is_lost(
    node: EventStoreNode, client: AsyncEventStoreDBClient, groups: Stub, strategy: str
) -> None:
    seed = sum(strategy.encode())
    stream = None if strategy.startswith("Pinned") else STREAM
    options = CreateReq.AllOptions.FilterOptions
    only_orders = options(stream_identifier=options.Expression(prefix=["order-"]))
    start = {"start": EMPTY} if stream else {"start": EMPTY, "filter": only_orders}
    await create(
        groups,
        stream,
        start=start,
        consumer_strategy=strategy,
        history_buffer_size=40,
        read_batch_size=10,
        max_retry_count=3,
        max_checkpoint_count=7,
    )
    crowd = Crowd(groups, stream, seed)
    chance = random.Random(seed)

    async def write() -> None:
        for _ in range(EVENTS // 5):
            await append(client, STREAM, 5)

    writing = asyncio.create_task(write())
    for round_ in range(12):
        await asyncio.gather(*(crowd.visit() for _ in range(chance.randint(1, 4))))
        if chance.random() < 0.5:
            tick(node, 31)
        if round_ == 6:
            await groups.RestartSubsystem(EMPTY)
    await writing
    delivered = await drained(client, groups, stream)

    assert crowd.handled | delivered == set(range(EVENTS))
    after = await info(groups, stream)
    assert (after.outstanding_messages_count, after.retry_buffer_count, after.parked_message_count) == (0, 0, 0)


async def drained(client: AsyncEventStoreDBClient, groups: Stub, stream: str | None) -> set[int]:
    """Let an honest consumer take all that is left, what was parked too."""
    delivered: set[int] = set()
    async with consuming(groups, stream, buffer_size=100) as consumer:

        async def consume() -> None:
            while True:
                taken = await consumer.take(1)
                await consumer.ack(*taken)
                delivered.update(revisions(taken))

        consuming_all = asyncio.create_task(consume())

        async def is_idle() -> bool:
            now = await info(groups, stream)
            waiting = now.read_buffer_count + now.retry_buffer_count + now.outstanding_messages_count
            return now.status == "Live" and waiting == 0

        async def is_drained() -> bool:
            return await is_idle() and (await info(groups, stream)).parked_message_count == 0

        await until(is_idle)
        # Writes are done in order: once this one is answered, all that the crowd has parked is in the parked stream.
        await append(client, "barrier", 1)
        await replay(groups, stream)
        await until(is_drained)
        consuming_all.cancel()
    return delivered
