"""One contract for the real read store and for the one in memory that the engine's tests rest on."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from infrastructure.read_store import Comparison, Page, ReadStore, StoredDocument, UnsafeForReadStore, Write
from subscriptions.parking.parked_events import COLLECTION, INDEXES, ParkedEvent
from subscriptions.ports import DocumentStore
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.read_store import ReadStoreDatabase


@pytest.fixture(params=["memory", "real"])
def place(request: pytest.FixtureRequest) -> ReadStoreDatabase | None:
    """Where the store under test keeps its documents; None: in memory."""
    return request.getfixturevalue("read_store_database") if request.param == "real" else None


@pytest_asyncio.fixture
async def store(place: ReadStoreDatabase | None) -> AsyncIterator[DocumentStore]:
    if place is None:
        yield MemoryReadStore()
    else:
        real = ReadStore(place.uri, place.name)
        yield real
        await real.close()


def write(key: str, position: int, value: int | None, *, new: bool = False) -> Write:
    return Write(key, position, None if value is None else {"value": value, "lines": [{"n": value}]}, new)


def held(position: int, value: int) -> StoredDocument:
    return StoredDocument(position, {"value": value, "lines": [{"n": value}]})


async def test_what_is_written_is_loaded(store):
    assert await store.write("things", [write("a", 1, 10, new=True), write("b", 2, 20)]) == frozenset()
    assert await store.load("things", ["a", "b", "c"]) == {"a": held(1, 10), "b": held(2, 20)}


async def test_nothing_is_loaded_from_a_collection_that_is_not_there(store):
    assert await store.load("things", ["a"]) == {}
    assert await store.count("things", {"value": 1}) == 0


async def test_an_insert_is_refused_where_there_is_a_document(store):
    await store.write("things", [write("a", 1, 10)])
    assert await store.write("things", [write("a", 9, 90, new=True), write("b", 9, 90, new=True)]) == {"a"}
    assert await store.load("things", ["a", "b"]) == {"a": held(1, 10), "b": held(9, 90)}


@pytest.mark.parametrize(("position", "refused"), [(4, True), (5, True), (6, False)])
async def test_a_write_is_refused_unless_it_is_newer(store, position, refused):
    await store.write("things", [write("a", 5, 50)])
    assert await store.write("things", [write("b", 1, 1), write("a", position, 60), write("c", 1, 1)]) == (
        {"a"} if refused else set()
    )
    assert await store.load("things", ["a"]) == {"a": held(5, 50) if refused else held(6, 60)}
    assert set(await store.load("things", ["b", "c"])) == {"b", "c"}, "the others are written"


async def test_a_tombstone_keeps_its_position(store):
    await store.write("things", [write("a", 5, 50)])
    await store.write("things", [write("a", 7, None)])
    assert await store.load("things", ["a"]) == {"a": StoredDocument(7, None)}
    assert await store.write("things", [write("a", 6, 60)]) == {"a"}
    assert await store.write("things", [write("a", 8, 80)]) == frozenset()


async def test_many_at_once(store):
    writes = [write(f"k{n}", n, n, new=n % 2 == 0) for n in range(2_500)]
    assert await store.write("things", writes) == frozenset()
    assert await store.write("things", writes) == {one.key for one in writes}
    loaded = await store.load("things", [f"k{n}" for n in range(0, 3_000, 3)])
    assert loaded == {f"k{n}": held(n, n) for n in range(0, 2_500, 3)}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
async def test_a_number_that_no_store_can_hold(store, value):
    with pytest.raises(UnsafeForReadStore):
        await store.write("things", [write("a", 1, value)])


async def test_parked_events_are_counted_and_paged(store):
    await store.prepare(COLLECTION, ParkedEvent, INDEXES)
    writes = [
        Write(f"x:{n:020}", n, {"target": "x" if n % 2 else "y", "first": int(n % 3 == 0), "position": n})
        for n in range(1, 21)
    ]
    await store.write(COLLECTION, writes)
    assert await store.count(COLLECTION, {"target": "x"}) == 10
    where = {"target": "x", "first": 1, "position": Comparison(above=3)}
    page = await store.page(COLLECTION, Page(where, by="position", limit=2))
    assert [one.fields["position"] for _, one in page] == [9, 15]
