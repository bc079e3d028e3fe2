"""What the pages about processes name is there."""

import re

from process_manager import metrics
from subscriptions import metrics as consumer_metrics
from tests.domain.processes import test_order_fulfilment
from tests.support.services import ROOT

NAMED = re.compile(r"`(test_\w+)`")


def named_in(part: object) -> set[str]:
    return {name for name in vars(part) if name.startswith("test_")}


def test_every_row_of_the_table_is_a_test_and_all_that_may_happen_meanwhile_is_a_row():
    page = (ROOT / "docs/order-fulfilment.md").read_text()
    named = set(NAMED.findall(page.partition("## What may happen meanwhile")[2].partition("\n`tests/")[0]))
    classes = [one for name, one in vars(test_order_fulfilment).items() if name.startswith("Test")]
    assert named <= set().union(*map(named_in, classes))
    assert named_in(test_order_fulfilment.TestMeanwhile) | named_in(test_order_fulfilment.TestRefunds) <= (
        named | {"test_cancelled_before_anything_was_reserved"}
    )


def test_every_metric_that_is_named_is_there():
    shown = {
        family.name
        for module in (metrics, consumer_metrics)
        for one in vars(module).values()
        if hasattr(one, "collect") and not isinstance(one, type)
        for family in one.collect()
    }
    for name in re.findall(r"\beventfold_(?:process|consumer)_\w+", (ROOT / "docs/processes.md").read_text()):
        assert name.removesuffix("_total") in shown, name
