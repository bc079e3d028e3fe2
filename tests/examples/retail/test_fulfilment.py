"""What must follow from the endings of orders: each fault in what stands behind them is found."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from examples.retail.baskets.basket import Basket, Item
from examples.retail.reconciliation.fulfilment import (
    Charge,
    FulfilmentFigures,
    StockFigures,
    fulfilment_differences,
)
from examples.retail.stock import demand_of, is_scarce, supply_for

AT = datetime(2017, 1, 1, tzinfo=UTC)
# The articles 60 and 120 are scarce: both baskets want 2 of 60, and 2 come in.
ONE = Basket(1, 1, AT, [Item(7, 3, 3.0), Item(60, 2, 1.5)])
TWO = Basket(2, 2, AT, [Item(60, 2, 1.5)])
DECLINED = Basket(3, 3, AT, [Item(7, 1, 1.0)])
REFUSED = Basket(4, 4, AT, [Item(7, 0, 1.0)])
BASKETS = [ONE, TWO, DECLINED, REFUSED]
ENDINGS = {"basket-1": "confirmed", "basket-2": "cancelled", "basket-3": "cancelled"}


def right() -> FulfilmentFigures:
    return FulfilmentFigures(
        stock={"60": StockFigures(2, 2, 0), "7": StockFigures(4, 3, 1)},
        charges={"basket-1": Charge("succeeded", 450, 0), "basket-3": Charge("declined", 100, 0)},
        mails={
            "basket-1": Counter({"order-confirmed": 1, "contract-to-sign": 1}),
            "basket-2": Counter({"order-cancelled": 1}),
            "basket-3": Counter({"order-cancelled": 1}),
        },
    )


def kinds(got: FulfilmentFigures, endings: dict[str, str] = ENDINGS) -> list[str]:
    supply = supply_for(demand_of(BASKETS))
    return [one.kind for one in fulfilment_differences(BASKETS, supply, endings, got)]


def test_of_scarce_articles_less_comes_in_than_is_wanted() -> None:
    assert demand_of(BASKETS) == {"7": 4, "60": 4}
    assert supply_for(demand_of(BASKETS)) == {"7": 4, "60": 2}
    assert [sku for sku in ("7", "60", "120", "121") if is_scarce(sku)] == ["60", "120"]
    assert supply_for({"60": 1}) == {}


def test_what_follows_from_the_endings_is_right() -> None:
    assert kinds(right()) == []


def test_a_refund_is_told_by_mail_too() -> None:
    got = right()
    got.charges["basket-2"] = Charge("succeeded", 150, 150)
    assert kinds(got) == ["mail"]
    got.mails["basket-2"]["payment-refunded"] = 1
    assert kinds(got) == []


@pytest.mark.parametrize(
    ("order_id", "charge"),
    [
        ("basket-1", Charge("succeeded", 449, 0)),
        ("basket-1", Charge("pending", 450, 0)),
        ("basket-2", Charge("succeeded", 150, 0)),
        ("basket-3", Charge("declined", 101, 0)),
        ("basket-9", Charge("succeeded", 1, 0)),
    ],
)
def test_money_that_is_not_right(order_id: str, charge: Charge) -> None:
    got = right()
    got.charges[order_id] = charge
    assert "charge" in kinds(got)


def test_no_charge_for_a_confirmed_order() -> None:
    got = right()
    del got.charges["basket-1"]
    assert kinds(got) == ["charge"]


@pytest.mark.parametrize("stock", [StockFigures(4, 4, 0), StockFigures(4, 2, 2), StockFigures(3, 3, 0)])
def test_a_piece_of_stock_too_many_or_too_few(stock: StockFigures) -> None:
    got = right()
    got.stock["7"] = stock
    assert kinds(got) == ["stock"]


@pytest.mark.parametrize("mails", [Counter(), Counter({"order-confirmed": 2}), Counter({"order-cancelled": 1})])
def test_mails_that_are_not_right(mails: "Counter[str]") -> None:
    got = right()
    got.mails["basket-1"] = mails
    assert kinds(got) == ["mail"]


def test_a_cancellation_without_a_reason_and_an_order_that_never_ended() -> None:
    got = right()
    got.charges["basket-3"] = Charge("none", 0, 0)
    assert kinds(got) == ["order"]
    assert "order" in kinds(right(), ENDINGS | {"basket-2": "pending"})
