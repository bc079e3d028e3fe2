"""The contract of the read store, held against a real server: guarded writes, tombstones, reads, pages."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from infrastructure.read_store import (
    Comparison,
    Page,
    ReadStore,
    ReadStoreUnavailable,
    StoredDocument,
    UnsafeForReadStore,
    Write,
    probe,
)
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase

DOCUMENTS = "documents"


@pytest.fixture
async def store(read_store_database: ReadStoreDatabase) -> AsyncIterator[ReadStore]:
    store = ReadStore(read_store_database.uri, read_store_database.name)
    yield store
    await store.close()


async def test_a_document_comes_back_as_it_was_written(store: ReadStore) -> None:
    fields = {
        "text": "tea ☕",
        "number": 2**53,
        "share": 0.5,
        "open": True,
        "lines": [{"a": 1}, {"a": 2}],
        "by": {"USD": 3},
    }
    assert await store.write(DOCUMENTS, [Write("a", 7, fields)]) == frozenset()
    assert await store.load(DOCUMENTS, ["a", "b"]) == {"a": StoredDocument(7, fields)}
    assert await store.page(DOCUMENTS, Page({}, by="number", limit=9)) == [("a", StoredDocument(7, fields))]
    assert await store.load(DOCUMENTS, []) == {}


class Numbered(Struct, frozen=True):
    """A document that an older release wrote without its number."""

    owner: str
    at: int
    number: int = -1


@pytest.mark.parametrize("indexed", [False, True])
async def test_a_document_without_a_field_meets_no_range_of_it(store: ReadStore, indexed: bool) -> None:
    """What is added to a record must not be asked for in vain, nor find those that are without it."""
    await store.prepare(DOCUMENTS, Numbered, (("owner", "number", "at"), ("number",)) if indexed else ())
    numbers = [2**47 + 5, None, 0, None, 7, 2**47 + 5]
    for index, number in enumerate(numbers):
        fields = {"owner": "x", "at": index} | ({} if number is None else {"number": number})
        await store.write(DOCUMENTS, [Write(f"d{index}", index + 1, fields)])
    every: dict[str, Any] = {"owner": "x", "number": Comparison(at_least=0)}
    assert await store.count(DOCUMENTS, {"owner": "x"}) == 6
    assert await store.count(DOCUMENTS, every) == 4
    assert await store.count(DOCUMENTS, {"owner": "x", "number": 2**47 + 5}) == 2
    found = []
    while page := await store.page(
        DOCUMENTS, Page({**every, "number": Comparison(above=(found or [-1])[-1])}, "number", 1)
    ):
        found.append((page[0][1].fields or {})["number"])
    assert found == [0, 7, 2**47 + 5]


async def test_a_write_needs_a_higher_position_than_what_is_stored(store: ReadStore) -> None:
    await store.write(DOCUMENTS, [Write("a", 5, {"value": "five"})])
    for position in (0, 4, 5):
        assert await store.write(DOCUMENTS, [Write("a", position, {"value": "late"})]) == {"a"}
    assert await store.load(DOCUMENTS, ["a"]) == {"a": StoredDocument(5, {"value": "five"})}
    assert await store.write(DOCUMENTS, [Write("a", 6, {"value": "six"})]) == frozenset()
    assert await store.load(DOCUMENTS, ["a"]) == {"a": StoredDocument(6, {"value": "six"})}


async def test_a_replaced_document_keeps_nothing_of_the_old_one(store: ReadStore) -> None:
    await store.write(DOCUMENTS, [Write("a", 1, {"value": 1, "carrier": "DHL"})])
    await store.write(DOCUMENTS, [Write("a", 2, {"value": 2})])
    assert await store.load(DOCUMENTS, ["a"]) == {"a": StoredDocument(2, {"value": 2})}


async def test_refused_writes_do_not_hold_up_the_others(store: ReadStore) -> None:
    await store.write(DOCUMENTS, [Write(key, 10, {"value": "old"}) for key in "abc"])
    refused = await store.write(
        DOCUMENTS,
        [
            Write("a", 9, {"value": "new"}),
            Write("b", 11, {"value": "new"}),
            Write("c", 10, {"value": "new"}),
            Write("d", 1, {"value": "new"}),
        ],
    )
    assert refused == {"a", "c"}
    held = await store.load(DOCUMENTS, list("abcd"))
    assert {key: one.fields and one.fields["value"] for key, one in held.items()} == {
        "a": "old",
        "b": "new",
        "c": "old",
        "d": "new",
    }


async def test_an_insert_of_what_is_there_is_refused_alone(store: ReadStore) -> None:
    await store.write(DOCUMENTS, [Write("b", 1, {"value": "first"}, new=True)])
    writes = [Write(key, 5, {"value": "second"}, new=True) for key in "abc"]
    assert await store.write(DOCUMENTS, writes) == {"b"}
    held = await store.load(DOCUMENTS, list("abc"))
    assert held == {
        "a": StoredDocument(5, {"value": "second"}),
        "b": StoredDocument(1, {"value": "first"}),
        "c": StoredDocument(5, {"value": "second"}),
    }


async def test_a_deleted_document_still_guards_its_key(store: ReadStore) -> None:
    await store.write(DOCUMENTS, [Write("a", 1, {"value": 1})])
    assert await store.write(DOCUMENTS, [Write("a", 2, None)]) == frozenset()
    assert await store.load(DOCUMENTS, ["a"]) == {"a": StoredDocument(2, None)}
    assert await store.page(DOCUMENTS, Page({"value": Comparison(at_least=0)}, by="value", limit=9)) == []
    assert await store.write(DOCUMENTS, [Write("a", 2, {"value": 2})]) == {"a"}
    assert await store.write(DOCUMENTS, [Write("a", 2, {"value": 2}, new=True)]) == {"a"}
    assert await store.write(DOCUMENTS, [Write("a", 3, {"value": 3})]) == frozenset()
    assert await store.load(DOCUMENTS, ["a"]) == {"a": StoredDocument(3, {"value": 3})}


async def test_more_than_one_calls_worth_of_writes_and_keys(store: ReadStore) -> None:
    keys = [f"key-{number}" for number in range(2300)]
    assert await store.write(DOCUMENTS, [Write(key, 1, {"value": key}, new=True) for key in keys]) == frozenset()
    held = await store.load(DOCUMENTS, keys)
    assert {key: one.fields for key, one in held.items()} == {key: {"value": key} for key in keys}
    assert await store.write(DOCUMENTS, [Write(key, 1, {"value": ""}) for key in keys[500:1500]]) == set(keys[500:1500])
    assert await store.count(DOCUMENTS, {}) == 2300


async def test_pages_are_ordered_filtered_and_bounded(store: ReadStore) -> None:
    rows = [(number, "even" if number % 2 == 0 else "odd") for number in (3, 1, 4, 10, 5, 9, 2, 6)]
    await store.write(DOCUMENTS, [Write(f"k{n}", n, {"place": n, "kind": kind}) for n, kind in rows])

    async def places(where: dict[str, Any], direction: Any = "descending", limit: int = 100) -> list[int]:
        page = await store.page(DOCUMENTS, Page(where, "place", limit, direction))
        return [document.fields["place"] for _, document in page if document.fields]

    assert await places({}) == [10, 9, 6, 5, 4, 3, 2, 1]
    assert await places({}, "ascending", 3) == [1, 2, 3]
    assert await places({"kind": "even", "place": Comparison(below=10)}, limit=2) == [6, 4]
    assert await places({"place": Comparison(at_least=4, at_most=9)}) == [9, 6, 5, 4]
    assert await places({"kind": Comparison(one_of=("odd",))}) == [9, 5, 3, 1]
    assert await store.count(DOCUMENTS, {"kind": "odd"}) == 4
    assert await store.count("nothing_here", {}) == 0
    assert await store.estimated_count(DOCUMENTS) == await store.count(DOCUMENTS, {})
    assert await store.estimated_count("nothing_here") == 0


async def test_a_deleted_bookkeeping_document_is_gone(store: ReadStore) -> None:
    await store.write(DOCUMENTS, [Write("a", 5, {})])
    await store.delete(DOCUMENTS, "a")
    await store.delete(DOCUMENTS, "a")
    assert await store.load(DOCUMENTS, ["a"]) == {}
    assert await store.write(DOCUMENTS, [Write("a", 1, {})]) == frozenset()


KEYS = st.sampled_from("abcd")
WRITES = st.dictionaries(KEYS, st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 9))), min_size=1)
collections = itertools.count()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(WRITES, max_size=5))
async def test_any_writes_leave_the_newest_of_each_key(store: ReadStore, batches: list[dict[str, Any]]) -> None:
    collection = f"documents_{next(collections)}"
    model: dict[str, StoredDocument] = {}
    for batch in batches:
        writes, refused = [], set()
        for key, (position, value) in batch.items():
            fields = None if value is None else {"value": value}
            writes.append(Write(key, position, fields))
            if key in model and model[key].position >= position:
                refused.add(key)
            else:
                model[key] = StoredDocument(position, fields)
        assert await store.write(collection, writes) == refused
    assert await store.load(collection, list("abcd")) == model


VALUES = st.recursive(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
@example(value=2**31)
@example(value=[{"deep": -(2**31) - 1}])
async def test_any_safe_value_comes_back_as_it_was(store: ReadStore, value: Any) -> None:
    collection = f"documents_{next(collections)}"
    await store.write(collection, [Write("a", 1, {"value": value})])
    fields = (await store.load(collection, ["a"]))["a"].fields
    assert fields == {"value": value}
    assert fields is not None
    assert type(fields["value"]) is type(value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "\ud800", {"a\0b": 1}, object()])
async def test_a_value_that_no_store_can_hold_is_told_apart(store: ReadStore, value: Any) -> None:
    with pytest.raises(UnsafeForReadStore):
        await store.write(DOCUMENTS, [Write("a", 1, {"value": value})])


async def test_a_store_that_is_not_there_is_unavailable_in_time() -> None:
    store = ReadStore(f"mongodb://127.0.0.1:{free_port()}/?directConnection=true", "nothing", timeout=0.2)
    async with asyncio.timeout(25):  # the client by itself looks for a server for 30 s
        outcomes = await asyncio.gather(
            store.ping(),
            store.load(DOCUMENTS, ["a"]),
            store.write(DOCUMENTS, [Write("a", 1, {})]),
            store.page(DOCUMENTS, Page({}, by="place", limit=1)),
            store.count(DOCUMENTS, {}),
            return_exceptions=True,
        )
    assert {type(outcome) for outcome in outcomes} == {ReadStoreUnavailable}
    await store.close()


async def test_the_probe_leaves_nothing_behind(store: ReadStore, read_store_database: ReadStoreDatabase) -> None:
    await probe(read_store_database.uri, read_store_database.name)
    assert await store.count("readiness_probes", {}) == 0
    with pytest.raises(ReadStoreUnavailable):
        await probe(f"mongodb://127.0.0.1:{free_port()}/?directConnection=true", "nothing")
