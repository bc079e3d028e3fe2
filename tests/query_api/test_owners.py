"""Whose documents a range or a custom query reads: one's own, whatever is asked for, or everybody's."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct

from domain.model.access import Access
from infrastructure.application import Application
from infrastructure.security.identity import ANYBODY, Identity
from infrastructure.security.policy import ALL_OWNERS
from read_models.model.parameter import Identifier, Parameter, WholeNumber
from read_models.model.query import CustomQuery, RangeQuery
from read_models.model.reads import Reads
from read_models.model.view import View
from tests.query_api.in_memory import ask, by_operation, routes_in_memory
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.shelf import Shelf
from tests.support.tiny import TINY

OWNED = Access("things:read", owner="keeper")


class Thing(Struct, frozen=True):
    """Something of somebody."""

    keeper: str
    size: int


class Sizes(Struct):
    """The sizes of somebody's things."""

    of: str
    sizes: list[int]


async def sizes(reads: Reads, parameters: Mapping[str, Any]) -> Sizes:
    """Of everybody's things, or of one keeper's."""
    keeper = parameters.get("keeper")
    rows = await reads.rows("size", 100, where={} if keeper is None else {"keeper": keeper})
    return Sizes(keeper or "everybody", [row.size for row in rows])


def never(*_arguments: Any) -> Any:
    raise AssertionError("nothing is folded here")


THINGS = View(
    "things",
    1,
    Thing,
    frozenset(),
    keys=never,
    fold=never,
    indexes=(("size",), ("keeper", "size")),
    queries=(
        RangeQuery(
            path="/things",
            operation="Range",
            access=OWNED,
            summary="",
            field="size",
            first=Parameter("from", WholeNumber()),
            last=Parameter("to", WholeNumber()),
            filters=(Parameter("whose", Identifier(), field="keeper"),),
            greatest_span=100,
            greatest_rows=100,
        ),
        CustomQuery(
            path="/sizes",
            operation="Sizes",
            access=OWNED,
            summary="",
            respond=sizes,
            answer=Sizes,
            parameters=(Parameter("keeper", Identifier()),),
        ),
    ),
)
ADA = Identity("ada", frozenset({"things:read"}))
STAFF = Identity("sue", frozenset({"things:read", ALL_OWNERS}))


async def asked(operation: str, query: str, identity: Identity) -> Any:
    """The answer, or the status and the detail of a refusal."""
    application = Application(TINY.aggregates, (THINGS,))
    shelf = Shelf(MemoryReadStore(), application.views)
    await shelf.prepare()
    rows = [("ada", 1), ("bob", 2), ("ada", 3), ("bob", 4)]
    await shelf.write(THINGS, [(str(size), size, Thing(keeper, size)) for keeper, size in rows])
    status, body = await ask(by_operation(routes_in_memory(application, shelf.store))[operation], query, identity)
    if status != 200:
        return status, body["detail"]
    return body.get("sizes") or [one["size"] for one in body["items"]]


@pytest.mark.parametrize(
    ("identity", "query", "answer"),
    [
        (ANYBODY, "", [1, 2, 3, 4]),
        (STAFF, "", [1, 2, 3, 4]),
        (STAFF, "&whose=bob", [2, 4]),
        (ADA, "", [1, 3]),
        (ADA, "&whose=ada", [1, 3]),
        (ADA, "&whose=bob", (404, "there is no whose bob")),
        (ADA, "&whose=nobody", (404, "there is no whose nobody")),
    ],
)
async def test_a_range(identity: Identity, query: str, answer: Any) -> None:
    assert await asked("Range", f"from=1&to=9{query}", identity) == answer


@pytest.mark.parametrize(
    ("identity", "query", "answer"),
    [
        (ANYBODY, "", [1, 2, 3, 4]),
        (STAFF, "keeper=bob", [2, 4]),
        (ADA, "", [1, 3]),
        (ADA, "keeper=ada", [1, 3]),
        (ADA, "keeper=bob", (404, "there is no keeper bob")),
    ],
)
async def test_a_custom_query(identity: Identity, query: str, answer: Any) -> None:
    assert await asked("Sizes", query, identity) == answer
