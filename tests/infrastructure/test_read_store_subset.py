"""What is outside the subset that every read store treats alike is a programming error, raised with its name."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from infrastructure.read_store import Comparison, Page, ReadStore, UnsafeForReadStore
from infrastructure.read_store.subset import check_collection, check_document_type, check_index, mongo_filter
from tests.support.bundled import VIEWS


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_keeps_within_the_subset(view: Any) -> None:
    check_collection(view.collection)
    check_document_type(view.document)
    for index in view.indexes:
        check_index(index, view.document)


@pytest.mark.parametrize(
    "name", ["order", "select", "Orders", "orders-v1", "orders.v1", "", "1st", "a_files", "a_chunks", "$x"]
)
def test_an_unsafe_collection_name(name: str) -> None:
    with pytest.raises(UnsafeForReadStore):
        check_collection(name)


class Inner(Struct):
    when: datetime


class Renamed(Struct, rename="camel"):
    two_words: int


class NeverLeftOut(Struct):
    note: str | None = None


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (msgspec.defstruct("Document", [("id", str)]), "Document.id"),
        (msgspec.defstruct("Document", [("_hidden", str)]), "Document._hidden"),
        (msgspec.defstruct("Document", [("when", datetime)]), "Document.when"),
        (msgspec.defstruct("Document", [("amount", Decimal)]), "Document.amount"),
        (msgspec.defstruct("Document", [("raw", bytes)]), "Document.raw"),
        (msgspec.defstruct("Document", [("either", int | str)]), "Document.either"),
        (msgspec.defstruct("Document", [("by", dict[int, str])]), "Document.by"),
        (msgspec.defstruct("Document", [("many", list[datetime])]), "Document.many[]"),
        (msgspec.defstruct("Document", [("inner", list[Inner])]), "Inner.when"),
        (Renamed, "Renamed.twoWords"),
        (NeverLeftOut, "NeverLeftOut.note"),
    ],
)
def test_an_unsafe_document_type_is_named_with_its_field(kind: Any, named: str) -> None:
    with pytest.raises(UnsafeForReadStore) as refused:
        check_document_type(kind)
    assert named in str(refused.value)


class Row(Struct, omit_defaults=True):
    place: int
    tags: list[str]
    note: str | None = None


@pytest.mark.parametrize("field", ["_id", "tags", "note", "nowhere"])
def test_an_index_on_what_is_no_scalar_or_not_always_there(field: str) -> None:
    check_index(("place",), Row)
    with pytest.raises(UnsafeForReadStore) as refused:
        check_index(("place", field), Row)
    assert field in str(refused.value)


@pytest.mark.parametrize(
    "where",
    [
        {"_id": "a"},
        {"a.b": 1},
        {"$or": [{"a": 1}]},
        {"$where": "1"},
        {"a": {"$regex": "x"}},
        {"a": {"$exists": True}},
        {"a": None},
        {"a": [1]},
        {"a": {"b": 1}},
        {"a": Comparison()},
        {"a": Comparison(one_of=(None,))},
        {"a": Comparison(above=[1])},
        {"a": {"$gt": 1}},
        {"a": datetime(2026, 1, 1)},  # noqa: DTZ001 - no time of any kind belongs into a filter
    ],
)
async def test_an_unsafe_filter_never_reaches_the_store(where: dict[str, Any]) -> None:
    with pytest.raises(UnsafeForReadStore):
        mongo_filter(where)
    nowhere = ReadStore("mongodb://127.0.0.1:9/", "nothing")
    with pytest.raises(UnsafeForReadStore):
        await nowhere.page("documents", Page(where, by="place", limit=1))
    with pytest.raises(UnsafeForReadStore):
        await nowhere.count("documents", where)
    await nowhere.close()


async def test_an_unsafe_view_never_reaches_the_store() -> None:
    nowhere = ReadStore("mongodb://127.0.0.1:9/", "nothing")
    with pytest.raises(UnsafeForReadStore):
        await nowhere.prepare("order", Row, ())
    with pytest.raises(UnsafeForReadStore):
        await nowhere.prepare("rows", Inner, ())
    with pytest.raises(UnsafeForReadStore):
        await nowhere.prepare("rows", Row, (("tags",),))
    await nowhere.close()
