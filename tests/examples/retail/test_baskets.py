import gzip
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from examples.retail.baskets.basket import Basket, Item, order_body, order_line
from examples.retail.baskets.make_sample import write_sample
from examples.retail.baskets.sample import SAMPLE_FILE, SAMPLE_SIZE, read_sample
from examples.retail.baskets.whole_set import baskets_of

AT = datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC)
CENTS = st.integers(min_value=0, max_value=100_000_00)


@given(quantity=st.integers(min_value=1, max_value=1_000_000), cents=CENTS)
@example(quantity=3, cents=100)
@example(quantity=89_638, cents=1)
@example(quantity=1, cents=0)
def test_a_line_totals_exactly_what_was_paid(quantity: int, cents: int) -> None:
    line = order_line(Item(1, quantity, cents / 100))
    gross = line["quantity"] * line["unit_price"]
    assert gross - line["discount"] == cents
    assert 0 <= line["discount"] <= gross
    assert line["discount"] < quantity, "the unit price is rounded up by less than a cent"


@given(cents=CENTS)
def test_a_line_without_quantity_goes_out_as_it_is(cents: int) -> None:
    line = order_line(Item(7, 0, cents / 100))
    assert line == {"sku": "7", "quantity": 0, "unit_price": cents, "discount": 0}


def test_a_basket_becomes_an_order() -> None:
    basket = Basket(42, 7, AT, [Item(1095275, 2, 2.78), Item(9, 3, 1.0)])
    assert basket.order_id == "basket-42"
    assert order_body(basket) == {
        "customer_id": "household-7",
        "currency": "USD",
        "lines": [
            {"sku": "1095275", "quantity": 2, "unit_price": 139, "discount": 0},
            {"sku": "9", "quantity": 3, "unit_price": 34, "discount": 2},
        ],
        "ordered_at": "2017-01-01T11:53:26+00:00",
    }


def test_the_sample_is_whole() -> None:
    baskets = list(read_sample())
    without_quantity = [b for b in baskets if any(item.quantity == 0 for item in b.items)]
    assert len(baskets) == len({b.basket_id for b in baskets}) == SAMPLE_SIZE
    assert len(without_quantity) == 47
    assert sum(len(b.items) for b in baskets) == 10_449
    assert len({b.household_id for b in baskets}) == 711
    assert {b.at.date().isoformat() for b in baskets} == {"2017-01-01", "2017-01-02", "2017-01-03"}
    assert baskets == sorted(baskets, key=lambda b: b.at), "in order of first appearance"
    assert sum(item.cents for b in baskets for item in b.items) == 3_078_529


def test_the_sample_file_is_reproducible(tmp_path: Path) -> None:
    again = tmp_path / "again.jsonl.gz"
    write_sample(read_sample(), again)
    with gzip.open(again) as ours, gzip.open(SAMPLE_FILE) as committed:
        assert ours.read() == committed.read()
    header = SAMPLE_FILE.read_bytes()[:10]
    assert header[4:8] == bytes(4), "no time in the header, so that the same baskets give the same bytes"


def test_rows_are_grouped_into_baskets() -> None:
    naive = AT.replace(tzinfo=None)
    rows = [(1, 900, naive, 11, 1, 0.5), (2, 900, naive, 12, 1, 0.99), (2, 900, naive, 13, 4, 2.0)]
    assert list(baskets_of(iter(rows))) == [
        Basket(1, 900, AT, [Item(11, 1, 0.5)]),
        Basket(2, 900, AT, [Item(12, 1, 0.99), Item(13, 4, 2.0)]),
    ]
