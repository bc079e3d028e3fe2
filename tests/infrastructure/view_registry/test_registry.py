"""Records in a real read store: what is stored comes back, and of changes that race each one happens or does not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.read_store import ReadStore
from infrastructure.view_registry import NotPossible, ViewRecord, ViewRegistry
from infrastructure.view_registry.transitions import (
    cancelled,
    first_record,
    paused,
    repartitioned,
    resumed,
    with_candidate,
)
from tests.infrastructure.view_registry.examples import BUILDING, FIRST, PAUSED, PAUSED_TO_RETURN, RETURNING, SWITCHED
from tests.support.read_store import ReadStoreDatabase

NOW = 1_773_489_600_123


@pytest.fixture
async def registry(read_store_database: ReadStoreDatabase) -> AsyncIterator[ViewRegistry]:
    store = ReadStore(read_store_database.uri, read_store_database.name)
    registry = ViewRegistry(store)
    await registry.prepare()
    yield registry
    await store.close()


async def stored(registry: ViewRegistry) -> ViewRecord:
    return (await registry.load(["sales"]))["sales"]


async def test_a_record_comes_back_as_it_was_saved(registry: ViewRegistry) -> None:
    assert await registry.load(["sales", "orders"]) == {}
    for record in (FIRST, BUILDING, PAUSED, SWITCHED, RETURNING, PAUSED_TO_RETURN):
        assert await registry.save(record)
        assert await registry.load(["sales", "orders"]) == {"sales": record}


async def test_positions_and_times_beyond_32_bits_come_back_as_they_were(registry: ViewRegistry) -> None:
    first = first_record("sales", 1, 1, 2**40)
    assert await registry.save(first)
    divided = repartitioned(with_candidate(first, 1, NOW), 2, {"sales_v1": 2**62, "sales_v1_r2": 2**50})
    await registry.change("sales", lambda record: with_candidate(record, 1, NOW))
    assert await registry.save(divided)
    assert await stored(registry) == divided


async def test_of_two_first_records_one_is_kept(registry: ViewRegistry) -> None:
    records = [first_record("sales", version, 1, NOW) for version in (1, 2, 3)]
    saved = await asyncio.gather(*(registry.save(record) for record in records))
    assert sum(saved) == 1
    assert await stored(registry) == records[saved.index(True)]


async def test_of_changes_of_the_same_record_one_is_kept(registry: ViewRegistry) -> None:
    await registry.save(FIRST)
    changes = [with_candidate(FIRST, 2, NOW), with_candidate(FIRST, 1, NOW), repartitioned(FIRST, 3, {"sales_v1": 1})]
    saved = await asyncio.gather(*(registry.save(change) for change in changes))
    assert sum(saved) == 1
    assert await stored(registry) == changes[saved.index(True)]
    assert not await registry.save(repartitioned(FIRST, 9, {"sales_v1": 1})), "made from a record that is no more"


async def test_changes_that_race_are_all_made_one_after_the_other(registry: ViewRegistry) -> None:
    await registry.save(FIRST)
    changed = await asyncio.gather(
        *(
            registry.change("sales", lambda record: repartitioned(record, record.partitions + 1, {"sales_v1": 1}))
            for _ in range(8)
        )
    )
    assert sorted(record.sequence for record in changed) == list(range(2, 10))
    record = await stored(registry)
    assert (record.partitions, record.partition_epoch, record.sequence) == (10, 9, 9)


async def test_of_two_rebuilds_asked_for_at_once_one_is_told_of_the_other(registry: ViewRegistry) -> None:
    await registry.save(FIRST)
    ends = await asyncio.gather(
        *(registry.change("sales", lambda record: with_candidate(record, 2, NOW)) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(end, ViewRecord) for end in ends) == 1
    assert {str(end) for end in ends if isinstance(end, NotPossible)} == {
        "sales is being rebuilt already, into sales_v2"
    }


async def test_a_change_that_is_refused_or_made_from_an_older_record_changes_nothing(registry: ViewRegistry) -> None:
    await registry.save(FIRST)
    with pytest.raises(NotPossible):
        await registry.change("sales", paused)
    assert await stored(registry) == FIRST
    building = await registry.change("sales", lambda record: with_candidate(record, 2, NOW))
    holding = paused(building)
    await registry.change("sales", lambda record: cancelled(record, NOW, 1))
    assert not await registry.save(holding)
    assert (await stored(registry)).paused == 0


async def test_a_view_without_a_record_can_not_be_changed(registry: ViewRegistry) -> None:
    with pytest.raises(KeyError, match="sales"):
        await registry.change("sales", resumed)
