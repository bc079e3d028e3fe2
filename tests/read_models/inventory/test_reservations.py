"""What was promised to an order, of several articles, by examples."""

from typing import Any

import pytest
from msgspec.structs import replace

from read_models.inventory.reservations import RESERVATIONS
from tests.read_models.given import Given
from tests.support.stock import RELEASED, RESERVED, SHIPPED_OUT

NOON_MS = 1_773_489_600_000
CUP = replace(RESERVED, sku="cup", quantity=1)


def line(sku: str, quantity: int, status: str) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "status": status, "updated_at": NOON_MS}


@pytest.mark.parametrize(
    ("history", "status", "lines"),
    [
        ([RESERVED], "open", [line("tea", 4, "reserved")]),
        ([RESERVED, CUP], "open", [line("tea", 4, "reserved"), line("cup", 1, "reserved")]),
        ([RESERVED, CUP, RELEASED], "open", [line("tea", 4, "released"), line("cup", 1, "reserved")]),
        (
            [RESERVED, CUP, RELEASED, replace(RELEASED, sku="cup", quantity=1)],
            "closed",
            [line("tea", 4, "released"), line("cup", 1, "released")],
        ),
        (
            [RESERVED, CUP, replace(SHIPPED_OUT, sku="cup", quantity=1), RELEASED],
            "closed",
            [line("tea", 4, "released"), line("cup", 1, "shipped_out")],
        ),
        ([RESERVED, RELEASED, replace(RESERVED, quantity=2)], "open", [line("tea", 2, "reserved")]),
        # The beginning of the article's stream has been cut off; the event says all there is to say.
        ([RELEASED], "closed", [line("tea", 4, "released")]),
    ],
)
async def test_the_lines_of_an_order(history: list[Any], status: str, lines: list[Any]) -> None:
    given = Given(RESERVATIONS, *history)
    document = {"order_id": "o-1", "status": status, "lines": lines, "updated_at": NOON_MS}
    await given.then(**{"o-1": {**document, "first_position": given.positions[0]}})


async def test_orders_apart() -> None:
    given = Given(RESERVATIONS, RESERVED, replace(RESERVED, order_id="o-2"), RELEASED)
    first, second, _ = given.positions
    one = {"order_id": "o-1", "status": "closed", "lines": [line("tea", 4, "released")], "updated_at": NOON_MS}
    two = {"order_id": "o-2", "status": "open", "lines": [line("tea", 4, "reserved")], "updated_at": NOON_MS}
    await given.then(**{"o-1": {**one, "first_position": first}, "o-2": {**two, "first_position": second}})
