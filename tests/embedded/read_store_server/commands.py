"""Sequences of commands as hypothesis makes them, and a server's responses, to the byte."""

from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import OperationFailure

Command = dict[str, Any]

COLLECTION = "things"

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0.$"), max_size=6).filter(lambda n: n)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain_values = st.recursive(
    st.none() | st.booleans() | integers | finite | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)
# What is not on the fast path, or is read back as something else than it was written.
odd_values = st.sampled_from(
    [
        float("nan"),
        float("inf"),
        b"bytes",
        ObjectId("0123456789abcdef01234567"),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        {"$date": "2026-01-02T03:04:05+00:00"},
        {"__neosqlite_binary__": "YQ=="},
        {"id": 0},
        "$money",
    ]
)
# Hypothesis likes the ends of a range; one odd value takes a whole message off the fast path, so it is drawn rarely.
values = st.integers(0, 60).flatmap(lambda n: odd_values if n == 37 else plain_values)
keys = st.sampled_from(["a", "b", "c", "é", "123", "0123", '"q"', "x" * 200])
odd_keys = st.sampled_from([7, 7.5, ObjectId("0123456789abcdef01234567"), {"k": 1}])
positions = st.integers(0, 9) | st.integers(0, 9) | integers

fields = st.fixed_dictionaries(
    {"n": st.integers(0, 5)},
    optional={"text": values, "id": values, "_deleted": st.just(1), "nested": values, "lines": st.lists(values)},
) | st.dictionaries(names.filter(lambda n: n not in ("_id", "_position")), values, max_size=5)


@st.composite
def _document(draw: st.DrawFn, key: Any) -> dict[str, Any]:
    return {"_id": key, "_position": draw(positions), **draw(fields)}


@st.composite
def _inserts(draw: st.DrawFn) -> Command:
    chosen = draw(st.lists(keys | odd_keys if draw(st.integers(0, 20)) == 13 else keys, min_size=1, max_size=6))
    documents = [draw(_document(key)) for key in chosen]
    return {"insert": COLLECTION, "documents": documents, "ordered": draw(st.booleans())}


@st.composite
def _replacements(draw: st.DrawFn) -> Command:
    updates = []
    for key in draw(st.lists(keys, min_size=1, max_size=6)):
        document = draw(_document(key))
        update = {"q": {"_id": key, "_position": {"$lt": document["_position"]}}, "u": document, "upsert": True}
        updates.append(update)
        match draw(st.integers(0, 60)):
            case 31:
                update["multi"] = False
            case 32:
                update["upsert"] = False
            case 33:
                update["q"] = {"_id": key}
            case 34:
                update["q"] = {"_id": key, "_position": {"$lte": 5}}
            case 35:
                update["u"] = {"_id": "other", "n": 1}
            case 36:
                update["u"] = {"$set": {"n": 3}}
            case 37:
                update["u"], update["upsert"] = {"n": 4}, False
    return {"update": COLLECTION, "updates": updates, "ordered": draw(st.booleans())}


def _found(where: Any) -> Command:
    return {"find": COLLECTION, "filter": where}


commands = st.one_of(
    _inserts(),
    _replacements(),
    _replacements(),
    keys.map(lambda key: _found({"_id": key})),
    keys.map(lambda key: {**_found({"_id": key}), "limit": 1, "singleBatch": True}),
    st.lists(keys, max_size=8).map(lambda chosen: {**_found({"_id": {"$in": chosen}}), "batchSize": 9}),
    st.lists(keys, max_size=8).map(
        lambda chosen: {**_found({"_id": {"$in": chosen}}), "limit": 2, "singleBatch": True}
    ),
    st.integers(0, 5).map(lambda n: {**_found({"n": n}), "sort": {"_position": -1}, "limit": 3, "singleBatch": True}),
    st.integers(0, 5).map(
        lambda n: {"aggregate": COLLECTION, "pipeline": [{"$match": {"n": n}}, {"$count": "c"}], "cursor": {}}
    ),
    keys.map(lambda key: {"delete": COLLECTION, "deletes": [{"q": {"_id": key}, "limit": 1}]}),
    st.just({"createIndexes": COLLECTION, "indexes": [{"key": {"n": 1, "_position": 1}, "name": "n_1__position_1"}]}),
    st.just({"drop": COLLECTION}),
)


def client(uri: str) -> MongoClient[RawBSONDocument]:
    """A client that gets responses as bytes."""
    return MongoClient(uri, document_class=RawBSONDocument)


def response_to(client: MongoClient[RawBSONDocument], database: str, command: Command) -> bytes:
    """The response to a command, or the details of its failure."""
    options = CodecOptions(document_class=RawBSONDocument)
    try:
        return client[database].command({**command}, codec_options=options).raw
    except OperationFailure as error:
        return str(error.details).encode()
