"""How much there is of each article, by examples, and which articles are running out."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.inventory.aggregate import STOCK
from domain.inventory.events import StockReserved
from infrastructure.application import Application
from read_models.inventory.stock_levels import MOST_LISTED, STOCK_LEVELS, StockLevel
from tests.query_api.in_memory import ask, by_operation, routes_in_memory
from tests.read_models.given import Given
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.decider import NOON
from tests.support.shelf import NOW, Shelf
from tests.support.stock import OPENED, RECEIVED, RELEASED, RESERVED, SHIPPED_OUT

NOON_MS = 1_773_489_600_000


@pytest.mark.parametrize(
    ("history", "on_hand", "reserved", "available"),
    [
        ([OPENED], 0, 0, 0),
        ([OPENED, RECEIVED], 10, 0, 10),
        ([OPENED, RECEIVED, RESERVED], 10, 4, 6),
        ([OPENED, RECEIVED, RESERVED, StockReserved("tea", "o-2", 6, 10, 0, NOON)], 10, 10, 0),
        ([OPENED, RECEIVED, RESERVED, RELEASED], 10, 0, 10),
        ([OPENED, RECEIVED, RESERVED, SHIPPED_OUT], 6, 0, 6),
    ],
)
async def test_levels(history: list[Any], on_hand: int, reserved: int, available: int) -> None:
    given = Given(STOCK_LEVELS, *history)
    await given.then(
        tea={
            "sku": "tea",
            "on_hand": on_hand,
            "reserved": reserved,
            "available": available,
            "opened_at": NOON_MS,
            "updated_at": NOON_MS,
            "version": len(history) - 1,
            "opened_position": given.positions[0],
        }
    )


async def test_articles_apart() -> None:
    given = Given(STOCK_LEVELS, OPENED, replace(OPENED, sku="cup"))
    level = {"on_hand": 0, "reserved": 0, "available": 0, "opened_at": NOON_MS, "updated_at": NOON_MS, "version": 0}
    first, second = given.positions
    await given.then(
        tea={"sku": "tea", **level, "opened_position": first}, cup={"sku": "cup", **level, "opened_position": second}
    )


async def ask_low_stock(query: str, *available: int) -> tuple[int, Any]:
    """The answer of GET /low-stock over articles of which so many are available."""
    shelf = Shelf(MemoryReadStore(), [STOCK_LEVELS])
    await shelf.prepare()
    levels = [StockLevel(f"sku-{n}", one + 1, 1, one, NOW, NOW, 1, n) for n, one in enumerate(available)]
    await shelf.write(STOCK_LEVELS, [(level.sku, 1, level) for level in levels])
    routes = by_operation(routes_in_memory(Application((STOCK,), (STOCK_LEVELS,)), shelf.store))
    return await ask(routes["ListLowStock"], query)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [0, 3, 7, 7, 40]),
        ("to=7", [0, 3, 7, 7]),
        ("from=1&to=6", [3]),
        ("from=8", [40]),
        ("from=41", []),
        ("from=3&to=3", [3]),
    ],
)
async def test_those_with_the_least_come_first(query: str, found: list[int]) -> None:
    status, answer = await ask_low_stock(query, 7, 0, 40, 7, 3)
    assert (status, [item["available"] for item in answer["items"]], answer["more"]) == (200, found, False)


async def test_an_article_is_shown_with_its_sums() -> None:
    answer = await ask_low_stock("", 5)
    item = {"sku": "sku-0", "on_hand": 6, "reserved": 1, "available": 5}
    assert answer == (200, {"items": [item], "more": False})


@pytest.mark.parametrize(("articles", "more"), [(MOST_LISTED, False), (MOST_LISTED + 1, True)])
async def test_a_list_that_is_cut_says_so(articles: int, more: bool) -> None:
    _, answer = await ask_low_stock("", *range(articles))
    assert (len(answer["items"]), answer["items"][0]["available"], answer["more"]) == (MOST_LISTED, 0, more)


@pytest.mark.parametrize(
    ("query", "said"), [("from=3&to=2", "from (3) is above to (2)"), ("to=-1", "to "), ("to=many", "to ")]
)
async def test_a_wrong_range_is_refused(query: str, said: str) -> None:
    status, problem = await ask_low_stock(query, 1)
    assert status == 400
    assert said in problem["detail"]
