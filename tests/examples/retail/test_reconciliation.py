from decimal import Decimal
from typing import Any

from examples.retail.baskets.sample import SAMPLE_FILE, read_sample
from examples.retail.loading.loader import Loader
from examples.retail.reconciliation.expected import expected_figures, figures_of_file
from examples.retail.reconciliation.figures import OrderFigures, Sales, differences
from tests.examples.retail.fake_shop import FakeShop, observed, open_shop


def row(basket_id: int, household: int, day: str, *items: tuple[int, str]) -> dict[str, Any]:
    return {
        "basket_id": basket_id,
        "household_id": household,
        "at": f"{day}T23:59:59Z",
        "items": [[1, quantity, Decimal(value)] for quantity, value in items],
    }


def test_expected_figures_of_a_hand_made_table() -> None:
    figures = expected_figures(
        [
            row(10, 1, "2017-01-01", (1, "0.10"), (2, "0.20")),  # pending, 0.30
            row(11, 1, "2017-01-01", (1, "5.00")),  # cancelled while pending
            row(13, 2, "2017-01-02", (1, "7.77")),  # confirmed, then cancelled
            row(14, 2, "2017-01-02", (3, "1.00")),  # shipped
            row(16, 2, "2017-01-01", (1, "2.25")),  # delivered
            row(17, 3, "2017-01-01", (1, "1.00"), (0, "0.00"), (0, "0.5")),  # refused
        ]
    )
    assert figures.orders == {
        "basket-10": OrderFigures("household-1", "pending", 30, 0),
        "basket-11": OrderFigures("household-1", "cancelled", 500, 1),
        "basket-13": OrderFigures("household-2", "cancelled", 777, 2),
        "basket-14": OrderFigures("household-2", "shipped", 100, 2),
        "basket-16": OrderFigures("household-2", "delivered", 225, 3),
    }
    assert figures.customers == {"household-1": Sales(2, 1, 30), "household-2": Sales(3, 1, 325)}
    assert figures.days == {"2017-01-01": Sales(3, 1, 255), "2017-01-02": Sales(2, 1, 100)}
    assert figures.refused == {"basket-17": frozenset({"/lines/1/quantity", "/lines/2/quantity"})}
    assert figures.by_status() == {"pending": 1, "cancelled": 2, "shipped": 1, "delivered": 1}


def test_expected_figures_of_the_sample() -> None:
    figures = figures_of_file(SAMPLE_FILE)
    assert (len(figures.orders), len(figures.refused)) == (953, 47)
    assert figures.by_status().total() == 953
    assert set(figures.by_status()) == {"pending", "confirmed", "shipped", "delivered", "cancelled"}
    days, customers = figures.days.values(), figures.customers.values()
    assert sum(day.amount for day in days) == sum(customer.amount for customer in customers)
    assert sum(day.cancelled for day in days) == sum(customer.cancelled for customer in customers)


async def test_every_kind_of_difference_is_found() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        outcome = await Loader(client, in_flight=32, move_on=True).load(read_sample())
        changed, lost, *_ = shop.orders
        shop.orders[changed]["total"] += 1
        del shop.orders[lost]
        outcome.refusals.pop()
        got = await observed(client, outcome)
    found = differences(figures_of_file(SAMPLE_FILE), got)
    assert {difference.kind for difference in found} == {"order", "customer", "day", "refused"}
    assert {difference.key for difference in found if difference.kind == "order"} == {changed, lost}
