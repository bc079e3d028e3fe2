"""?at_least=: answered once the view is there, 503 when it does not get there, one poller for all who wait."""

import asyncio
import itertools
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.http.problems import Problem
from infrastructure.read_store import ReadStoreUnavailable
from infrastructure.settings import Settings
from infrastructure.view_registry.transitions import repartitioned
from query_api.following.checkpoints import Checkpoints
from query_api.following.live_builds import LiveBuilds
from read_models.model.view import View
from tests.query_api.memory_reads import Clock, MemoryReads, turns
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.served import Client, served
from tests.support.services import until
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY


class NothingKnown:
    """Of the log: its end, or whether it is another one."""

    async def check(self, _view: str, _live: object) -> None:
        return

    async def is_before(self, _position: int) -> bool:
        return False


VIEW_QUERIES = [
    (LAMP_DETAILS, "/lamps/l-1?"),
    (LAMP_DETAILS, "/lamps?"),
    (LAMP_DETAILS, "/rooms/hall/lamps?"),
    (PARCEL_DAYS, "/parcel-days/2026-03-14?"),
    (PARCEL_DAYS, "/parcel-days?from=2026-03-01&to=2026-03-31&"),
]


@pytest.fixture
async def filled(shelf: TinyShelf) -> TinyShelf:
    """Every view has something at position 10, and its checkpoint there."""
    await shelf.lamp("l-1", 10)
    await shelf.day(20260314, 10)
    for view in TINY.views:
        await shelf.checkpoint(view, 10)
    return shelf


@pytest.fixture
async def patient(settings: Settings) -> Settings:
    """A query API that waits long enough for a test to come along."""
    return settings.changed(at_least_timeout=20.0)


async def test_a_position_reached_already_is_answered(api: Client, filled: TinyShelf) -> None:
    for _, path in VIEW_QUERIES:
        for position in (0, 9, 10):
            assert (await api.get(f"{path}at_least={position}")).status == 200, path


async def test_a_position_not_reached_in_time_is_503(api: Client, filled: TinyShelf) -> None:
    replies = await asyncio.gather(*(api.get(f"{path}at_least=11") for _, path in VIEW_QUERIES))
    for (view, _), reply in zip(VIEW_QUERIES, replies, strict=True):
        reply.refused(503, f"{view.name} is at 10, not yet at 11")
        assert reply.headers["retry-after"] == "1"
        assert reply.json["type"].endswith(":view-behind")


async def test_a_position_reached_while_waiting_is_answered(patient: Settings, filled: TinyShelf) -> None:
    async with served(TINY, patient) as api:
        for position, (view, path) in enumerate(VIEW_QUERIES, start=500):
            waiting = asyncio.create_task(api.get(f"{path}at_least={position}"))
            await until(partial(_somebody_waits, api, view), "a request waits")
            assert not waiting.done()
            await filled.checkpoint(view, position)
            assert (await waiting).status == 200, path


async def _somebody_waits(api: Client, view: View) -> bool:
    metrics = (await api.get("/metrics")).body.decode()
    return f'eventfold_query_at_least_waiting{{view="{view.name}"}} 1.0' in metrics


async def test_a_document_that_is_there_needs_no_checkpoint(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamp("l-1", 10)
    await shelf.day(20260314, 10)
    assert (await api.get("/lamps/l-1?at_least=10")).status == 200
    assert (await api.get("/parcel-days/2026-03-14?at_least=10")).status == 200
    (await api.get("/lamps/l-1?at_least=11")).refused(503, "no checkpoint yet")


async def test_what_was_folded_while_waiting_is_in_the_answer(patient: Settings, filled: TinyShelf) -> None:
    async with served(TINY, patient) as api:
        waiting = asyncio.create_task(api.get("/lamps/l-2?at_least=20"))
        await until(lambda: _somebody_waits(api, LAMP_DETAILS), "a request waits")
        await filled.lamp("l-2", 20)
        await filled.checkpoint(LAMP_DETAILS, 20)
        assert (await waiting).json["lamp_id"] == "l-2"


async def test_an_unknown_key_is_404_once_the_view_is_there(api: Client, filled: TinyShelf) -> None:
    (await api.get("/lamps/l-2?at_least=10")).refused(404)


async def test_a_malformed_position_is_400(api: Client) -> None:
    values = ["", "-1", "1.5", "abc", "0x10", "%20", "9223372036854775808", "1" * 40, "%D9%A1"]
    for value, (_, path) in itertools.product(values, VIEW_QUERIES):
        (await api.get(f"{path}at_least={value}")).refused(400, "at_least")


def waiting(reads: MemoryReads, clock: Clock, timeout: float = 10) -> Checkpoints:
    builds = LiveBuilds(reads, TINY.views, clock=clock)  # type: ignore[arg-type]
    nothing: Any = NothingKnown()
    return Checkpoints(reads, builds, nothing, nothing, TINY.views, timeout=timeout, interval=0.001)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reads() -> MemoryReads:
    """Every view is at 1."""
    reads = MemoryReads(*TINY.views)
    _all_reach(reads, 1)
    return reads


def _all_reach(reads: MemoryReads, position: int) -> None:
    for record in reads.by_view.values():
        reads.reach(record.live, record.partition_epoch, *[position] * record.partitions)


async def _polls(reads: MemoryReads, count: int) -> None:
    """Waits until so many more reads of checkpoints have begun."""
    before = reads.count(CHECKPOINTS)
    while reads.count(CHECKPOINTS) < before + count:
        await asyncio.sleep(0)


async def test_all_who_wait_share_one_poller_which_ends_with_them(reads: MemoryReads, clock: Clock) -> None:
    checkpoints = waiting(reads, clock)
    waits = [asyncio.create_task(checkpoints.reached(view, 5)) for _ in range(200) for view in TINY.views]
    await _polls(reads, 5)
    assert not any(wait.done() for wait in waits)
    assert reads.reads[-1] == (CHECKPOINTS, [f"{view.collection}:1:0" for view in TINY.views]), "all in one read"
    before = len(reads.reads)
    _all_reach(reads, 5)
    assert [reached.position for reached in await asyncio.gather(*waits)] == [5] * 400
    assert len(reads.reads) <= before + 2

    ended = len(reads.reads)
    await turns()
    assert len(reads.reads) == ended
    assert (await checkpoints.reached(LAMP_DETAILS, 5)).position == 5  # it begins again for the next one
    assert len(reads.reads) == ended + 1


async def test_who_waits_is_told_when_the_store_goes_away_and_the_next_one_is_served(
    reads: MemoryReads, clock: Clock
) -> None:
    checkpoints = waiting(reads, clock)
    waits = [asyncio.create_task(checkpoints.reached(LAMP_DETAILS, 5)) for _ in range(3)]
    await _polls(reads, 1)
    reads.away = True
    for wait in waits:
        with pytest.raises(ReadStoreUnavailable):
            await wait
    reads.away = False
    _all_reach(reads, 5)
    assert (await checkpoints.reached(LAMP_DETAILS, 5)).position == 5


async def test_a_wait_ends_in_time_although_others_go_on(reads: MemoryReads, clock: Clock) -> None:
    checkpoints = waiting(reads, clock, timeout=0.05)
    with pytest.raises(Problem) as late:
        await checkpoints.reached(LAMP_DETAILS, 5)
    assert late.value.details.status == 503
    assert late.value.headers == {"Retry-After": "1"}
    await checkpoints.close()


async def test_who_waits_through_a_switch_is_answered_by_the_new_build(reads: MemoryReads, clock: Clock) -> None:
    checkpoints = waiting(reads, clock)
    wait = asyncio.create_task(checkpoints.reached(LAMP_DETAILS, 5))
    await _polls(reads, 2)
    build = reads.switch(LAMP_DETAILS)
    reads.reach(build, 1, 5)
    await _polls(reads, 5)
    assert not wait.done(), "the record is kept for a while"
    clock.now += 0.3
    reached = await wait
    assert (reached.live.build, reached.position) == (build, 5)


async def test_every_partition_must_have_got_there(reads: MemoryReads, clock: Clock) -> None:
    record = reads.by_view[LAMP_DETAILS.name] = replace(reads.by_view[LAMP_DETAILS.name], partitions=3)
    checkpoints = waiting(reads, clock)
    wait = asyncio.create_task(checkpoints.reached(LAMP_DETAILS, 5))
    for positions in ((9, 9), (9, 9, 4), (4, 9, 9)):
        reads.reach(record.live, 1, *positions)
        await _polls(reads, 3)
        assert not wait.done()
    reads.reach(record.live, 1, 9, 6, 7)
    assert (await wait).position == 6


async def test_a_view_that_is_divided_anew_meanwhile_answers_by_its_new_partitions(
    reads: MemoryReads, clock: Clock
) -> None:
    record = reads.by_view[LAMP_DETAILS.name]
    checkpoints = waiting(reads, clock)
    wait = asyncio.create_task(checkpoints.reached(LAMP_DETAILS, 5))
    await _polls(reads, 2)
    reads.by_view[LAMP_DETAILS.name] = repartitioned(record, 2, {record.live.collection: 1})
    reads.reach(record.live, 2, 9, 4)
    clock.now += 0.6
    await _polls(reads, 3)
    assert not wait.done()
    reads.reach(record.live, 2, 9, 8)
    assert (await wait).position == 8


async def test_a_first_record_and_checkpoint_that_come_while_waiting_are_found_at_once(
    reads: MemoryReads, clock: Clock
) -> None:
    record = reads.by_view.pop(LAMP_DETAILS.name)
    reads.positions.clear()
    checkpoints = waiting(reads, clock)
    wait = asyncio.create_task(checkpoints.reached(LAMP_DETAILS, 0))
    await _polls(reads, 3)
    reads.by_view[LAMP_DETAILS.name] = record
    await _polls(reads, 3)
    assert not wait.done()
    reads.reach(record.live, 1, 0)
    assert (await wait).position == 0
