"""The examples in docs/queries.md are run as they stand, over the bundled views."""

import re
from typing import Any

from msgspec.structs import replace

from application import APPLICATION
from infrastructure.application import Application
from read_models.ordering.daily_sales import DAILY_SALES, DailySales
from read_models.ordering.order_list import ORDER_LIST, ListedOrder
from tests.query_api.in_memory import ask, by_operation, routes_in_memory
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.services import ROOT
from tests.support.shelf import NOW, Shelf


def examples() -> dict[str, Any]:
    """What the document's examples define."""
    defined: dict[str, Any] = {}
    blocks = re.findall(r"<!-- run -->\n```python\n(.*?)```", (ROOT / "docs/queries.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, defined)
    return defined


async def test_the_examples_answer() -> None:
    defined = examples()
    views = (
        replace(ORDER_LIST, queries=(*ORDER_LIST.queries, defined["OPEN_ORDERS"])),
        replace(DAILY_SALES, queries=(*DAILY_SALES.queries, defined["REVENUE"])),
    )
    application = Application(APPLICATION.aggregates, views)
    shelf = Shelf(MemoryReadStore(), views)
    await shelf.prepare()
    rows = [ListedOrder(f"o-{n}", "ada", "pending", "USD", 5, 1, NOW, NOW, NOW, 0, n) for n in (1, 2)]
    await shelf.write(ORDER_LIST, [(row.order_id, row.placed_position, row) for row in rows])
    await shelf.write(DAILY_SALES, [("2026-03-14", 2, DailySales(20260314, 2, 0, {"USD": 10}))])
    await shelf.checkpoint(ORDER_LIST, 2)

    routes = by_operation(routes_in_memory(application, shelf.store))
    status, page = await ask(routes["ListOpenOrders"], "status=pending", customer_id="ada")
    assert (status, [row["order_id"] for row in page["items"]]) == (200, ["o-2", "o-1"])
    assert (await ask(routes["ListOpenOrders"], "status=delivered", customer_id="ada"))[0] == 400
    assert await ask(routes["GetRevenue"], "from=2026-03-01&to=2026-03-31") == (200, {"usd": 10})
    status, problem = await ask(routes["GetRevenue"], "from=2026-04-01&to=2026-04-30")
    assert (status, problem["detail"]) == (404, "there is no revenue in that time")
