"""What the demo measures and reports; the demo itself runs in test_up.py."""

from dataclasses import replace

from rich.console import Console

from examples.retail.baskets.sample import SAMPLE_FILE, read_sample
from examples.retail.loading.loader import Loader
from examples.retail.loading.outcome import Outcome
from examples.retail.reconciliation.expected import figures_of_file
from examples.retail.reconciliation.figures import Difference, OrderFigures, differences
from examples.retail.reconciliation.fulfilment import Charge, FulfilmentFigures, StockFigures
from ops.demo.crashes import Crash
from ops.demo.lag import LagMeter, LagSample, percentile
from ops.demo.report import Report, print_report
from ops.demo.settling import Settled
from tests.examples.retail.fake_shop import FakeShop, observed, open_shop


async def test_the_whole_loop_agrees_with_the_file() -> None:
    shop = FakeShop(lost=5, away=5)
    async with open_shop(shop) as client:
        lag = LagMeter(client)
        loader = Loader(client, in_flight=32, move_on=True, on_acknowledged=lag.acknowledged)
        outcome = await loader.load(read_sample())
        await lag.finish()
        got = await observed(client, outcome)
    expected = figures_of_file(SAMPLE_FILE)
    assert differences(expected, got) == []
    assert len(lag.samples) == outcome.accepted.total() // 10
    assert not lag.failures


def test_the_report_of_an_exact_run() -> None:
    figures = figures_of_file(SAMPLE_FILE)
    crash = Crash("node", 200, killed_at=10.0, ready_at=12.5)
    lag = [LagSample(5.0, 0.010), LagSample(11.0, 1.5)]
    fulfilled = FulfilmentFigures({"1": StockFigures(5, 3, 2)}, {"basket-1": Charge("succeeded", 1234, 0)})
    report = Report(
        figures, figures, Outcome(baskets=1000, seconds=2.0), [crash], lag, [], fulfilled, [], Settled(7, 4.0)
    )
    text = _printed(report)
    assert report.exact
    assert "Exact" in text
    assert "DIFFERS" not in text
    assert "12.34 USD" in text
    assert "Every order at its end 4.0 s after the last was placed" in text
    assert "kill -9 node after 200 baskets: ready again after 2.5 s" in text
    assert "every service up: p50 10 ms, p99 10 ms (1 commands)" in text
    assert "crashes included: p50 10 ms, p99 1,500 ms (2 commands)" in text


def test_the_report_lists_each_difference() -> None:
    expected, got = figures_of_file(SAMPLE_FILE), figures_of_file(SAMPLE_FILE)
    got.days["2017-01-01"] = replace(got.days["2017-01-01"], amount=1)
    got.orders["basket-1"] = OrderFigures("household-1", "pending", 1, 0)
    stock = [Difference("stock", "1", StockFigures(5, 3, 2), None)]
    report = Report(
        expected,
        got,
        Outcome(),
        [],
        [],
        ["the projector is not back"],
        FulfilmentFigures(),
        stock,
        Settled(7, 4.0),
    )
    text = _printed(report)
    assert not report.exact
    assert "NOT exact: 4 differences or problems" in text
    assert "order basket-1: expected None, got OrderFigures" in text
    assert "day 2017-01-01: expected" in text
    assert "the projector is not back" in text
    assert "stock 1: expected StockFigures" in text
    assert text.count("DIFFERS") >= 4


def _printed(report: Report) -> str:
    console = Console(width=200, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    print_report(console, report)
    return console.export_text()


def test_percentiles_are_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 50) == 50.0
    assert percentile(values, 99) == 99.0
    assert percentile([3.0], 99) == 3.0


def test_a_crash_disturbs_what_overlaps_it() -> None:
    crash = Crash("node", 1, killed_at=10.0, ready_at=12.0)
    assert not crash.disturbs(LagSample(9.0, 0.5))
    assert crash.disturbs(LagSample(9.8, 0.5))
    assert crash.disturbs(LagSample(11.0, 0.1))
    assert not crash.disturbs(LagSample(12.1, 0.1))
