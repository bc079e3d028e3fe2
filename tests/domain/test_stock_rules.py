"""The stock of an article: given what has happened, when a command comes, then these events or this refusal."""

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from msgspec import Struct

from domain.inventory.aggregate import STOCK
from domain.inventory.commands import MAX_QUANTITY, ReceiveStock, ReleaseStock, ReserveStock, ShipOutStock
from domain.inventory.events import StockReceived, StockReserved, StockShippedOut
from domain.inventory.stock import MAX_ON_HAND, Stock
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from tests.support.decider import NOON, Given
from tests.support.stock import OPENED, RECEIVED, RELEASED, RESERVED, SHIPPED_OUT


def tea(*events: Struct) -> Given:
    """The article's stock after these events, which follow its opening."""
    return Given(STOCK, "tea", OPENED, *events)


NEVER_RECEIVED = Given(STOCK, "tea")


def test_the_first_receipt_opens_the_stock() -> None:
    NEVER_RECEIVED.when(ReceiveStock(10)).then(OPENED, RECEIVED)


@pytest.mark.parametrize(
    ("history", "command", "event"),
    [
        ([RECEIVED], ReceiveStock(5), StockReceived("tea", 5, 15, 15, NOON)),
        ([RECEIVED, RESERVED], ReceiveStock(5), StockReceived("tea", 5, 15, 11, NOON)),
        ([RECEIVED], ReserveStock("o-1", 4), RESERVED),
        ([RECEIVED], ReserveStock("o-1", 10), StockReserved("tea", "o-1", 10, 10, 0, NOON)),
        ([RECEIVED, RESERVED], ReserveStock("o-2", 6), StockReserved("tea", "o-2", 6, 10, 0, NOON)),
        ([RECEIVED, RESERVED], ReleaseStock("o-1", "cancelled"), RELEASED),
        ([RECEIVED, RESERVED, RELEASED], ReserveStock("o-1", 4), RESERVED),
        ([RECEIVED, RESERVED], ShipOutStock("o-1"), SHIPPED_OUT),
        ([RECEIVED, RESERVED, SHIPPED_OUT], ReserveStock("o-2", 6), StockReserved("tea", "o-2", 6, 6, 0, NOON)),
    ],
)
def test_what_comes_of_it(history: list[Struct], command: Struct, event: Struct) -> None:
    tea(*history).when(command).then(event)


@pytest.mark.parametrize(
    ("history", "command", "code"),
    [
        ([RECEIVED], ReserveStock("o-1", 11), "out-of-stock"),
        ([RECEIVED, RESERVED], ReserveStock("o-2", 7), "out-of-stock"),
        ([RECEIVED, RESERVED], ReserveStock("o-1", 4), "already-reserved"),
        ([RECEIVED, RESERVED], ReserveStock("o-1", 1), "already-reserved"),
        ([RECEIVED], ReleaseStock("o-1", "late"), "nothing-reserved"),
        ([RECEIVED, RESERVED, RELEASED], ReleaseStock("o-1", "again"), "nothing-reserved"),
        ([RECEIVED, RESERVED, SHIPPED_OUT], ReleaseStock("o-1", "too late"), "nothing-reserved"),
        ([RECEIVED, RESERVED], ReleaseStock("o-2", "another's"), "nothing-reserved"),
        ([RECEIVED], ShipOutStock("o-1"), "nothing-reserved"),
        ([RECEIVED, RESERVED, SHIPPED_OUT], ShipOutStock("o-1"), "nothing-reserved"),
        ([StockReceived("tea", 1, MAX_ON_HAND, 0, NOON)], ReceiveStock(1), "too-much-stock"),
    ],
)
def test_what_the_stock_forbids(history: list[Struct], command: Struct, code: str) -> None:
    tea(*history).when(command).then_violation(code)


@pytest.mark.parametrize("command", [ReserveStock("o-1", 1), ReleaseStock("o-1", "x"), ShipOutStock("o-1")])
def test_an_article_that_was_never_received(command: Struct) -> None:
    NEVER_RECEIVED.when(command).then_error(NoSuchAggregate)


@pytest.mark.parametrize("event", [RECEIVED, RESERVED, RELEASED, SHIPPED_OUT])
def test_an_event_before_the_opening_is_an_error_not_a_guess(event: Struct) -> None:
    with pytest.raises(ValueError, match="before StockOpened in the stream of tea"):
        Given(STOCK, "tea", event)


@pytest.mark.parametrize(
    ("command", "pointers"),
    [
        (ReceiveStock(0), ["/quantity"]),
        (ReceiveStock(-1), ["/quantity"]),
        (ReceiveStock(MAX_QUANTITY + 1), ["/quantity"]),
        (ReserveStock("", 0), ["/order_id", "/quantity"]),
        (ReleaseStock("o 1", " "), ["/order_id", "/reason"]),
        (ShipOutStock("../x"), ["/order_id"]),
    ],
)
def test_every_fault_is_named(command: Struct, pointers: list[str]) -> None:
    tea(RECEIVED).when(command).then_faults(*pointers)


def test_an_article_number_that_is_none() -> None:
    Given(STOCK, "blue cup").when(ReceiveStock(1)).then_faults("/stock_id")


_ORDERS = st.sampled_from(["o-1", "o-2", "o-3"])
_QUANTITIES = st.integers(1, 8)
_COMMANDS: st.SearchStrategy[Any] = st.one_of(
    st.builds(ReceiveStock, _QUANTITIES),
    st.builds(ReserveStock, _ORDERS, _QUANTITIES),
    st.builds(ReleaseStock, _ORDERS, st.just("x")),
    st.builds(ShipOutStock, _ORDERS),
)


@given(st.lists(_COMMANDS, max_size=40))
def test_whatever_comes_the_sums_agree_and_nothing_goes_below_zero(commands: list[Any]) -> None:
    stock: Stock | None = None
    received = shipped = 0
    for command in commands:
        try:
            events = STOCK.decide(command, stock, CommandContext("tea", NOON))
        except (RuleViolation, NoSuchAggregate):
            continue
        for event in events:
            stock = STOCK.evolve(stock, event)
            received += event.quantity if isinstance(event, StockReceived) else 0
            shipped += event.quantity if isinstance(event, StockShippedOut) else 0
        assert stock is not None
        assert stock.available >= 0
        assert msgspec.json.decode(msgspec.json.encode(stock), type=Stock) == stock, "a snapshot is the same stock"
        assert stock.on_hand == stock.available + sum(stock.reserved.values()) == received - shipped
