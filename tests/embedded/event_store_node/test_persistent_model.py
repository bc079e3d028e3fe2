"""Random histories of one group against a model of its bookkeeping: nothing is lost, doubled or out of order."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from persistent_model import MAX_RETRIES, TIMEOUT_SECONDS, Model, Recorder, State

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.events import ANY
from embedded.event_store_node.log.internal_writes import append, json_event
from embedded.event_store_node.log.log import Log
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.log.writer import Writer
from embedded.event_store_node.log.writes import Appended
from embedded.event_store_node.persistent.definition import ALL, Definition, FilterDefinition, Settings
from embedded.event_store_node.persistent.group import Group
from embedded.event_store_node.persistent.parking import parked_stream
from embedded.event_store_node.persistent.subsystem import PersistentSubscriptions

STRATEGIES = ("RoundRobin", "DispatchToSingle", "Pinned", "PinnedByCorrelation")
CAPACITY = 8

numbers = st.integers(0, 20)
steps = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 4), st.integers(1, 6)),
    st.tuples(st.just("connect"), st.integers(1, 5)),
    st.tuples(st.just("leave"), numbers),
    st.tuples(st.sampled_from(["acknowledge", "retry", "park"]), numbers, st.integers(1, 4)),
    st.tuples(st.sampled_from(["acknowledge", "retry", "park"]), numbers, st.integers(1, 4)),
    st.tuples(st.just("late_answer"), numbers),
    st.tuples(st.just("wait"), st.integers(0, TIMEOUT_SECONDS + 2)),
    st.tuples(st.just("replay")),
    st.tuples(st.just("restart")),
)
Step = tuple[str | int, ...]


def definition(strategy: str) -> Definition:
    how = Settings(
        resolve_links=False,
        extra_statistics=True,
        message_timeout_ms=TIMEOUT_SECONDS * 1000,
        max_retry_count=MAX_RETRIES,
        min_checkpoint_count=2,
        max_checkpoint_count=4,
        checkpoint_after_ms=3000,
        max_subscriber_count=0,
        live_buffer_size=4,
        read_batch_size=3,
        history_buffer_size=CAPACITY,
        strategy=strategy,
    )
    return Definition(ALL, "g", "C:0/P:0", how, FilterDefinition(False, "", ("order-",)))


@dataclass
class Clock:
    now: float = 0

    def __call__(self) -> float:
        return self.now


class World:
    """A group on a log, without a server around it, and the model of it."""

    def __init__(self, writer: Writer, connection: sqlite3.Connection, broker: Broker, strategy: str) -> None:
        self.clock = Clock()
        self.model = Model(strategy, self.clock)
        self.subscriptions = PersistentSubscriptions(writer, Reader(connection), broker, self.clock)
        self._writer = writer
        self._connection = connection
        self._is_pinned = strategy.startswith("Pinned")
        self._answered: list[bytes] = []

    @property
    def group(self) -> Group:
        return self.subscriptions.group(ALL, "g")

    async def do(self, step: Step) -> None:
        match step:
            case ("append", int(stream), int(count)):
                for _ in range(count):
                    await self._append(f"order-{stream}")
            case ("connect", int(size)):
                self.connect(size)
            case ("leave", int(number)) if self.model.consumers:
                consumer = self.model.consumers[number % len(self.model.consumers)]
                self.model.leave(consumer)
                self.group.disconnect(consumer)
            case (("acknowledge" | "retry" | "park") as how, int(number), int(count)) if self.model.taken:
                taken = list(self.model.taken)
                first = number % len(taken)
                self.answer(how, taken[first : first + count])
            case ("late_answer", int(number)) if self._answered:
                self.answer("park", [self._answered[number % len(self._answered)]])
            case ("wait", int(seconds)):
                self.clock.now += seconds
                self.model.time_passed()
                self.subscriptions.tick()
            case ("replay",):
                self.model.replay()
                self.group.replay_parked(None)
            case ("restart",):
                await self.subscriptions.restart()
                # Nothing is read before the loop's next turn.
                self.model.restart(self.group.checkpoints.position or 0, self.group.parked.bounds()[0])

    def connect(self, size: int) -> None:
        consumer = Recorder(size, self.model)
        self.model.connect(consumer)
        self.group.connect(consumer)

    def answer(self, how: str, ids: list[bytes]) -> None:
        getattr(self.model, how)(ids)
        self._answered += ids
        if how == "park":
            self.group.park(ids, "a reason")
        else:
            getattr(self.group, how)(ids)

    async def _append(self, stream: str) -> None:
        entry = self.model.append(stream)
        outcome = await append(self._writer, stream, ANY, [json_event("Happened", b"{}")])
        assert isinstance(outcome, Appended)
        entry.position = outcome.position

    async def settle(self) -> None:
        """Wait until nothing is left to be delivered to whom has room, and all writes are done."""
        await self._until_delivered()  # before the barriers: they would wake a group that has forgotten to go on
        await self._barrier()
        await self._barrier()  # what was parked may let the parked stream be truncated
        while self.group.checkpoints.is_saving:
            await self._barrier()
        await self._until_delivered()

    async def _until_delivered(self) -> None:
        for _ in range(1000):
            if not self._may_deliver():
                break
            await asyncio.sleep(0)
        else:
            raise AssertionError("a consumer has room and is not given what waits")

    async def _barrier(self) -> None:
        """Writes are done in order: once this one is, those before it are."""
        await append(self._writer, "barrier", ANY, [json_event("Barrier", b"{}")])

    def _may_deliver(self) -> bool:
        room = [consumer.has_room for consumer in self.model.consumers]
        # A pinned consumer that is full holds up what is behind its events, once the buffer is full of them.
        is_room = bool(room) and (all(room) if self._is_pinned else any(room))
        return is_room and any(entry.state is State.WAITING for entry in self.model.entries)

    def check(self) -> None:
        group, model = self.group, self.model
        assert list(group.deliveries.outstanding) == list(model.taken)
        for consumer in model.consumers:
            assert len(consumer.in_flight) <= consumer.capacity
            assert set(consumer.in_flight) == {id_ for id_, one in model.taken.items() if one.consumer is consumer}
        assert group.buffer.new_count <= CAPACITY + 20
        checkpoint = group.checkpoints.position or 0
        assert all(one.state is State.DONE for one in model.events.values() if one.position <= checkpoint)
        assert self._parked() == [f"{one.revision}@{one.stream}" for one in model.parked]
        if not group.replay.is_active:
            assert group.replay.parked_count() == sum(one.state is State.PARKED for one in model.parked)

    def _parked(self) -> list[str]:
        """All that has ever been parked: what is truncated is still in the log."""
        links = self._connection.execute(
            "SELECT e.record FROM event e JOIN stream s ON s.id = e.stream WHERE s.name = ? ORDER BY e.revision",
            (parked_stream(f"{ALL}::g"),),
        )
        return [RecordedEvent.FromString(record).data.decode() for (record,) in links]

    async def drain(self) -> None:
        """An honest consumer takes all that is left, the parked messages too."""
        self.connect(1000)
        await self.do(("replay",))
        while any(one.state is not State.DONE for one in self.model.entries):
            await self.settle()
            self.answer("acknowledge", list(self.model.taken))
        self.clock.now += 100
        for _ in range(2):  # the parked stream and the checkpoint are written on the tick
            self.subscriptions.tick()
            await self.settle()
        self.check()
        assert all(one.deliveries for one in self.model.entries)
        assert not self.group.deliveries.outstanding
        assert self.group.buffer.is_empty


@asynccontextmanager
async def world(strategy: str) -> AsyncIterator[World]:
    database = Database(None)
    connections = [database.connect(cache_mib=2), database.connect(cache_mib=2)]
    broker = Broker(last_position=0)
    writer = Writer(Log(connections[1]), broker.publish)
    one = World(writer, connections[0], broker, strategy)
    one.subscriptions.start()
    try:
        await one.subscriptions.create(definition(strategy))
        yield one
    finally:
        await one.subscriptions.close()
        await writer.close()
        for connection in connections:
            connection.close()
        database.close()


async def live_through(strategy: str, history: list[Step]) -> None:
    async with world(strategy) as one:
        for step in history:
            await one.do(step)
            await one.settle()
            one.check()
        await one.drain()


_settings = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(_settings, max_examples=12, derandomize=True)
@given(strategy=st.sampled_from(STRATEGIES), history=st.lists(steps, min_size=25, max_size=40))
def test_every_event_ends_acknowledged_or_parked(strategy: str, history: list[Step]) -> None:
    asyncio.run(live_through(strategy, history))


@pytest.mark.slow
@settings(_settings, max_examples=600)
@given(strategy=st.sampled_from(STRATEGIES), history=st.lists(steps, min_size=20, max_size=80))
def test_every_event_ends_acknowledged_or_parked_in_many_histories(strategy: str, history: list[Step]) -> None:
    asyncio.run(live_through(strategy, history))
