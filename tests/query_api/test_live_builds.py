"""Following the views' records: kept for half a second at most, read once for all, one build for a whole request."""

import asyncio
import gc
import weakref

import pytest
from msgspec.structs import replace

from infrastructure.read_store import ReadStoreUnavailable, StoredDocument
from infrastructure.view_registry.transitions import first_record, paused, repartitioned, with_candidate
from query_api.following.live_builds import LiveBuilds
from tests.query_api.memory_reads import RECORDS, Clock, MemoryReads, turns
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reads() -> MemoryReads:
    """Every view has its first record."""
    return MemoryReads(*TINY.views)


@pytest.fixture
def builds(reads: MemoryReads, clock: Clock) -> LiveBuilds:
    return LiveBuilds(reads, TINY.views, clock=clock)  # type: ignore[arg-type]


async def live_number(builds: LiveBuilds) -> int:
    live = await builds.of(LAMP_DETAILS)
    assert live is not None
    return live.build.number


async def test_all_records_are_read_at_once_and_requests_share_the_read(reads: MemoryReads, builds: LiveBuilds) -> None:
    found = await asyncio.gather(*(builds.of(view) for view in TINY.views for _ in range(50)))
    assert reads.reads == [(RECORDS, [view.name for view in TINY.views])]
    assert {live and live.build.collection for live in found} == {view.collection for view in TINY.views}


async def test_a_record_is_used_for_half_a_second_and_renewed_before_anybody_waits(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    assert await live_number(builds) == 1
    reads.switch(LAMP_DETAILS)
    clock.now += 0.25
    assert await live_number(builds) == 1
    await turns()
    assert len(reads.reads) == 1
    clock.now += 0.01
    assert await live_number(builds) == 1, "answered from what is kept"
    await turns()
    assert len(reads.reads) == 2
    assert await live_number(builds) == 2


async def test_a_record_older_than_that_is_never_used(reads: MemoryReads, builds: LiveBuilds, clock: Clock) -> None:
    assert await live_number(builds) == 1
    reads.switch(LAMP_DETAILS)
    clock.now += 0.51
    assert await live_number(builds) == 2


async def test_the_age_counts_from_before_the_read(reads: MemoryReads, builds: LiveBuilds, clock: Clock) -> None:
    reads.hold_up()
    first = asyncio.create_task(live_number(builds))
    await turns()
    clock.now += 0.51
    late = asyncio.create_task(live_number(builds))
    await turns()
    reads.go_on()
    assert (await first, await late) == (1, 1)
    assert len(reads.reads) == 2, "who began so late may not use what the first one read"


async def test_a_view_without_a_record_is_looked_up_until_it_has_one(reads: MemoryReads, builds: LiveBuilds) -> None:
    del reads.by_view["lamp_details"]
    assert await builds.of(PARCEL_DAYS) is not None
    assert await builds.of(LAMP_DETAILS) is None
    reads.by_view["lamp_details"] = first_record("lamp_details", 1, 1, 5)
    assert await live_number(builds) == 1
    assert len(reads.reads) == 3


async def test_when_the_store_is_away_all_who_wait_are_told_and_the_next_one_is_served(
    reads: MemoryReads, builds: LiveBuilds
) -> None:
    reads.away = True
    for told in await asyncio.gather(*(builds.of(LAMP_DETAILS) for _ in range(10)), return_exceptions=True):
        assert isinstance(told, ReadStoreUnavailable)
    assert len(reads.reads) == 1
    reads.away = False
    assert await live_number(builds) == 1


async def test_a_store_that_goes_away_fails_nobody_before_half_a_second_is_over(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    assert await live_number(builds) == 1
    reads.away = True
    clock.now += 0.4
    for _ in range(3):
        assert await live_number(builds) == 1
        await turns()
    clock.now += 0.11
    with pytest.raises(ReadStoreUnavailable):
        await builds.of(LAMP_DETAILS)


async def test_one_who_gives_up_does_not_stop_the_others(reads: MemoryReads, builds: LiveBuilds) -> None:
    reads.hold_up()
    first, second = (asyncio.create_task(live_number(builds)) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    reads.go_on()
    assert await second == 1
    assert len(reads.reads) == 1


async def test_closing_ends_the_read_that_is_under_way(reads: MemoryReads, builds: LiveBuilds) -> None:
    reads.hold_up()
    waiting = asyncio.create_task(builds.of(LAMP_DETAILS))
    await turns()
    await builds.close()
    assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_what_a_build_shares_is_kept_while_it_is_live_and_forgotten_then(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    first = await builds.of(LAMP_DETAILS)
    reads.by_view["lamp_details"] = paused(with_candidate(reads.by_view["lamp_details"], 1, 2))
    clock.now += 1
    assert await builds.of(LAMP_DETAILS) is first, "a rebuild under way changes nothing"
    assert first is not None
    forgotten = weakref.ref(first)
    del first
    reads.switch_under_way(LAMP_DETAILS)
    clock.now += 1
    assert await live_number(builds) == 2
    gc.collect()
    assert forgotten() is None


async def test_a_database_that_was_emptied_begins_again_although_names_are_the_same(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    before = await builds.of(LAMP_DETAILS)
    assert before is not None
    assert before.position({before.checkpoint_keys[0]: StoredDocument(10, {})}) == 10
    reads.by_view["lamp_details"] = first_record("lamp_details", 1, 1, 999)
    clock.now += 1
    after = await builds.of(LAMP_DETAILS)
    assert after is not None
    assert after.build.collection == before.build.collection
    assert after.position({}) is None


async def test_a_request_that_began_before_a_switch_goes_on_with_its_build(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    live = await builds.of(LAMP_DETAILS)
    assert live is not None
    reads.documents["lamp_details_v1"] = {"l-1": StoredDocument(7, {"of": "the old one"})}
    reads.switch(LAMP_DETAILS)
    clock.now += 1
    assert await live_number(builds) == 2
    assert await live.document("l-1") == StoredDocument(7, {"of": "the old one"})


async def test_a_read_that_ends_when_the_old_build_may_go_on_is_refused(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    reads.documents["lamp_details_v1"] = {"l-1": StoredDocument(7, {})}
    live = await builds.of(LAMP_DETAILS)
    assert live is not None
    clock.now += 4.9
    assert await live.document("l-1") == StoredDocument(7, {})
    clock.now += 0.2
    with pytest.raises(ReadStoreUnavailable, match="lamp_details_v1 may no longer be served"):
        await live.document("l-1")
    assert await builds.of(LAMP_DETAILS) is live
    assert await live.document("l-1") == StoredDocument(7, {}), "known to be live again"


async def test_a_deleted_document_is_none(reads: MemoryReads, builds: LiveBuilds) -> None:
    reads.documents["lamp_details_v1"] = {"l-1": StoredDocument(7, None)}
    live = await builds.of(LAMP_DETAILS)
    assert live is not None
    assert (await live.document("l-1"), await live.document("l-2")) == (None, None)


async def test_the_position_is_the_lowest_of_the_partitions_and_never_falls(
    reads: MemoryReads, builds: LiveBuilds, clock: Clock
) -> None:
    record = reads.by_view["lamp_details"] = replace(reads.by_view["lamp_details"], partitions=3)
    live = await builds.of(LAMP_DETAILS)
    assert live is not None
    keys = live.checkpoint_keys
    assert keys == [f"lamp_details_v1:1:{partition}" for partition in range(3)]
    assert live.position({key: StoredDocument(10, {}) for key in keys[:2]}) is None
    assert live.position({key: StoredDocument(10 + at, {}) for at, key in enumerate(keys)}) == 10

    reads.by_view["lamp_details"] = repartitioned(record, 2, {"lamp_details_v1": 8})
    clock.now += 1
    assert await builds.of(LAMP_DETAILS) is live
    assert live.checkpoint_keys == ["lamp_details_v1:2:0", "lamp_details_v1:2:1"]
    assert live.position({}) == 10, "the new partitions begin lower, but what was folded is folded"
    assert live.position({key: StoredDocument(12, {}) for key in live.checkpoint_keys}) == 12
