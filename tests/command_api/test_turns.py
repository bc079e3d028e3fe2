"""Commands that contend for one stream: they take turns, and whoever fails or goes away holds nobody up."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from command_api import turns
from command_api.aggregates import Aggregates
from command_api.headers import command_headers
from command_api.pipeline import Pipeline
from command_api.requests import command_request
from command_api.turns import Turns
from domain.model.aggregate import CommandType
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import Appended, EventStoreUnavailable, StreamSlice, WrongExpectedRevision
from infrastructure.telemetry import TraceContext
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.tiny.meter import METER, InstallMeter, ReadMeter

CODEC = EventCodec([METER])
INSTALL, READ = METER.commands
AT_ONCE = 50


class BusyStore(MemoryEventStore):
    """Others come to their turn in the middle of every call, as with a store on another machine."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 0

    async def read_slice(self, *arguments: Any) -> StreamSlice:
        await asyncio.sleep(0)
        found = await super().read_slice(*arguments)
        await asyncio.sleep(0)
        return found

    async def append(self, *arguments: Any) -> Appended:
        await asyncio.sleep(0)
        try:
            return await super().append(*arguments)
        except WrongExpectedRevision:
            self.conflicts += 1
            raise
        finally:
            await asyncio.sleep(0)


def pipeline_over(store: BusyStore) -> Pipeline:
    aggregates = Aggregates(store, CODEC, 100)  # type: ignore[arg-type]
    return Pipeline(store, CODEC, aggregates, 5, lambda: NOON)  # type: ignore[arg-type]


async def send(pipeline: Pipeline, command_type: CommandType, meter_id: str, command: Any) -> int:
    """The revision that comes of the command."""
    key = [(b"idempotency-key", str(uuid4()).encode())]
    request = command_request(command_type, meter_id, command, command_headers(key), TraceContext())
    return (await pipeline.handle(METER, command_type, request)).revision


async def test_of_fifty_at_once_each_loses_once_at_most_and_none_gives_up() -> None:
    store = BusyStore()
    pipeline = pipeline_over(store)
    await send(pipeline, INSTALL, "m-1", InstallMeter())

    revisions = await asyncio.gather(*(send(pipeline, READ, "m-1", ReadMeter(7)) for _ in range(AT_ONCE)))

    assert sorted(revisions) == list(range(1, AT_ONCE + 1))
    assert store.conflicts == AT_ONCE - 1


async def test_streams_that_nobody_contends_for_have_no_queue() -> None:
    store = BusyStore()
    pipeline = pipeline_over(store)
    await asyncio.gather(*(send(pipeline, INSTALL, f"m-{n}", InstallMeter()) for n in range(AT_ONCE)))
    assert store.conflicts == 0


async def test_who_fails_or_is_cancelled_lets_the_next_one_go_on() -> None:
    queues = Turns()
    order: list[str] = []
    go_on = asyncio.Event()

    async def take(name: str) -> None:
        async with queues.of("s") as turn:
            await turn.take()
            order.append(name)
            await go_on.wait()
            raise EventStoreUnavailable(name)

    first, second, third = [asyncio.create_task(take(name)) for name in ("first", "second", "third")]
    await asyncio.sleep(0)
    second.cancel()
    go_on.set()
    ended = await asyncio.gather(first, second, third, return_exceptions=True)
    assert [type(one) for one in ended] == [EventStoreUnavailable, asyncio.CancelledError, EventStoreUnavailable]
    assert order == ["first", "third"]


async def test_newcomers_stand_at_the_end_of_the_queue_until_there_is_none() -> None:
    queues = Turns()
    order: list[str] = []

    async def come(name: str) -> None:
        async with queues.of("s"):
            order.append(name)

    async with queues.of("s") as turn:
        await turn.take()
        await turn.take()  # once is enough
        waiting = [asyncio.create_task(come(name)) for name in ("a", "b")]
        for _ in range(10):
            await asyncio.sleep(0)
        assert order == []
        async with queues.of("another"):
            pass
    await asyncio.gather(*waiting)
    assert order == ["a", "b"]
    async with queues.of("s") as alone:
        assert not alone.is_held


async def test_when_too_many_wait_one_more_takes_its_chance_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_MOST_WAITING", 1)
    queues = Turns()
    async with queues.of("s") as turn:
        await turn.take()
        async with asyncio.timeout(30):
            waiting = asyncio.create_task(queues.of("s").__aenter__())
            await asyncio.sleep(0)
            async with queues.of("s") as beyond:
                await beyond.take()
                assert not beyond.is_held
    held = await waiting
    assert held.is_held
    await held.__aexit__(None, None, None)
