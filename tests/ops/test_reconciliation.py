from dataclasses import replace
from decimal import Decimal
from typing import Any

from rich.console import Console

from ops.baskets.sample import SAMPLE_FILE, read_sample
from ops.demo.crashes import Crash
from ops.demo.expected import expected_figures, figures_of_file
from ops.demo.figures import Figures, OrderFigures, Sales, differences
from ops.demo.lag import LagMeter, LagSample, percentile
from ops.demo.observed import observed_figures
from ops.demo.report import Report, print_report
from ops.loading.loader import Loader
from ops.loading.outcome import Outcome
from tests.ops.fake_shop import FakeShop, open_shop


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


async def test_the_whole_loop_agrees_with_the_file() -> None:
    shop = FakeShop(lost=5, away=5)
    async with open_shop(shop) as client:
        lag = LagMeter(client)
        loader = Loader(client, in_flight=32, move_on=True, on_acknowledged=lag.acknowledged)
        outcome = await loader.load(read_sample())
        await lag.finish()
        got = await _observed(client, outcome)
    expected = figures_of_file(SAMPLE_FILE)
    assert differences(expected, got) == []
    assert len(lag.samples) == outcome.accepted.total() // 10
    assert not lag.failures


async def test_every_kind_of_difference_is_found() -> None:
    shop = FakeShop()
    async with open_shop(shop) as client:
        outcome = await Loader(client, in_flight=32, move_on=True).load(read_sample())
        changed, lost, *_ = shop.orders
        shop.orders[changed]["total"] += 1
        del shop.orders[lost]
        outcome.refusals.pop()
        got = await _observed(client, outcome)
    found = differences(figures_of_file(SAMPLE_FILE), got)
    assert {difference.kind for difference in found} == {"order", "customer", "day", "refused"}
    assert {difference.key for difference in found if difference.kind == "order"} == {changed, lost}


async def _observed(client: Any, outcome: Outcome) -> Figures:
    return await observed_figures(
        client,
        outcome.position,
        customers={basket.customer_id for basket in read_sample()},
        days=["2017-01-01", "2017-01-03"],
        refusals=outcome.refusals,
    )


def test_the_report_of_an_exact_run() -> None:
    figures = figures_of_file(SAMPLE_FILE)
    crash = Crash("node", 200, killed_at=10.0, ready_at=12.5)
    lag = [LagSample(5.0, 0.010), LagSample(11.0, 1.5)]
    report = Report(figures, figures, Outcome(baskets=1000, seconds=2.0), [crash], lag, [])
    text = _printed(report)
    assert report.exact
    assert "Exact" in text
    assert "DIFFERS" not in text
    assert "kill -9 node after 200 baskets: ready again after 2.5 s" in text
    assert "every service up: p50 10 ms, p99 10 ms (1 commands)" in text
    assert "crashes included: p50 10 ms, p99 1,500 ms (2 commands)" in text


def test_the_report_lists_each_difference() -> None:
    expected, got = figures_of_file(SAMPLE_FILE), figures_of_file(SAMPLE_FILE)
    got.days["2017-01-01"] = replace(got.days["2017-01-01"], amount=1)
    got.orders["basket-1"] = OrderFigures("household-1", "pending", 1, 0)
    report = Report(expected, got, Outcome(), [], [], ["the projector is not back"])
    text = _printed(report)
    assert not report.exact
    assert "NOT exact: 3 differences or problems" in text
    assert "order basket-1: expected None, got OrderFigures" in text
    assert "day 2017-01-01: expected" in text
    assert "the projector is not back" in text
    assert text.count("DIFFERS") >= 2


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
