"""The order's rules as tables: given what happened, when a command comes, then these events or this refusal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from msgspec.structs import replace

from domain.model.errors import NoSuchAggregate
from domain.ordering.aggregate import ORDER
from domain.ordering.commands import (
    CancelOrder,
    ConfirmOrder,
    DeliverOrder,
    OrderLine,
    PlaceOrder,
    ShipOrder,
)
from tests.support.decider import NOON, Given
from tests.support.orders import (
    CANCELLED,
    CONFIRMED,
    CREATED,
    DELIVERED,
    HISTORIES,
    LINES,
    PLACE,
    SHIPPED,
    TOTAL,
    place_orders,
)

SHIP = ShipOrder("DHL", "JD014600")
CANCEL = CancelOrder("changed my mind")


def order(*events):
    return Given(ORDER, "o-1", *events)


def test_an_order_is_placed():
    order().when(PLACE).then(CREATED)


def test_the_business_time_is_kept_in_utc():
    in_tokyo = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=9)))
    expected = replace(CREATED, ordered_at=datetime(2025, 12, 31, 23, tzinfo=UTC))
    order().when(replace(PLACE, ordered_at=in_tokyo)).then(expected)


@pytest.mark.parametrize(
    ("status", "command", "event"),
    [
        ("pending", ConfirmOrder(), CONFIRMED),
        ("confirmed", SHIP, SHIPPED),
        ("shipped", DeliverOrder(), DELIVERED),
        ("pending", CANCEL, CANCELLED),
        ("confirmed", CANCEL, CANCELLED),
    ],
)
def test_an_order_moves_on(status, command, event):
    order(*HISTORIES[status]).when(command).then(event)


ALLOWED = {
    "confirm": (ConfirmOrder(), {"pending"}, "order-not-pending"),
    "ship": (SHIP, {"confirmed"}, "order-not-confirmed"),
    "deliver": (DeliverOrder(), {"shipped"}, "order-not-shipped"),
    "cancel": (CANCEL, {"pending", "confirmed"}, "order-not-pending-or-confirmed"),
    "place": (PLACE, set(), "order-exists"),
}


@pytest.mark.parametrize("status", HISTORIES)
@pytest.mark.parametrize("action", ALLOWED)
def test_every_command_in_every_other_state_is_refused(status, action):
    command, allowed, code = ALLOWED[action]
    if status in allowed:
        assert len(ORDER.decide(command, order(*HISTORIES[status]).state, order().context)) == 1
    else:
        refused = order(*HISTORIES[status]).when(command).then_violation(code)
        assert "o-1" in refused.detail


@pytest.mark.parametrize("command", [ConfirmOrder(), SHIP, DeliverOrder(), CANCEL])
def test_no_order_no_command(command):
    order().when(command).then_error(NoSuchAggregate)


def lines(*line):
    return replace(PLACE, lines=list(line))


GOOD = LINES[0]


@pytest.mark.parametrize(
    ("command", "pointers"),
    [
        (lines(), ["/lines"]),
        (lines(*[GOOD] * 501), ["/lines"]),
        (lines(GOOD, replace(GOOD, quantity=0)), ["/lines/1/quantity"]),
        (lines(replace(GOOD, quantity=-1)), ["/lines/0/quantity"]),
        (lines(replace(GOOD, quantity=1_000_001)), ["/lines/0/quantity"]),
        (lines(replace(GOOD, unit_price=-1)), ["/lines/0/unit_price"]),
        (lines(replace(GOOD, unit_price=2**53 + 1)), ["/lines/0/unit_price"]),
        (lines(replace(GOOD, discount=-1)), ["/lines/0/discount"]),
        (lines(replace(GOOD, discount=151)), ["/lines/0/discount"]),
        (lines(replace(GOOD, sku="")), ["/lines/0/sku"]),
        (lines(replace(GOOD, sku="a\x00b")), ["/lines/0/sku"]),
        (lines(replace(GOOD, sku="x" * 65)), ["/lines/0/sku"]),
        (lines(replace(GOOD, quantity=0), GOOD, replace(GOOD, sku=" ")), ["/lines/0/quantity", "/lines/2/sku"]),
        (lines(OrderLine("gold", 2, 2**53)), ["/lines"]),
        (replace(PLACE, currency="XXX"), ["/currency"]),
        (replace(PLACE, currency="usd"), ["/currency"]),
        (replace(PLACE, customer_id="../../etc"), ["/customer_id"]),
        (replace(PLACE, customer_id=""), ["/customer_id"]),
        (replace(PLACE, ordered_at=datetime(1969, 12, 31, tzinfo=UTC)), ["/ordered_at"]),
        (replace(PLACE, ordered_at=datetime.max.replace(tzinfo=UTC)), ["/ordered_at"]),
        (PlaceOrder("", "", []), ["/customer_id", "/currency", "/lines"]),
        (ShipOrder("", "JD014600"), ["/carrier"]),
        (ShipOrder("DHL", "x" * 501), ["/tracking_number"]),
        (CancelOrder("  "), ["/reason"]),
    ],
)
def test_a_command_that_can_never_be_right_names_every_fault(command, pointers):
    order().when(command).then_faults(*pointers)


@pytest.mark.parametrize("order_id", ["", ".", "..", "../x", "a/b", "a b", "é", "-x", "x" * 65, "a\n"])
def test_an_id_must_be_safe_in_a_path_and_a_stream_name(order_id):
    Given(ORDER, order_id).when(PLACE).then_faults("/order_id")


@pytest.mark.parametrize(
    "command",
    [
        lines(*[GOOD] * 500),
        lines(replace(GOOD, quantity=1_000_000, discount=0)),
        lines(replace(GOOD, discount=150)),
        lines(OrderLine("gold", 1, 2**53)),
        lines(OrderLine("gift", 1, 0)),
    ],
)
def test_the_limits_themselves_are_allowed(command):
    (created,) = ORDER.decide(command, None, order().context)
    assert created.total == sum(line.quantity * line.unit_price - line.discount for line in command.lines)


@given(place_orders)
def test_the_total_is_the_sum_of_quantity_times_price_less_discount(command):
    (created,) = ORDER.decide(command, None, order().context)
    assert created.total == sum(line.quantity * line.unit_price - line.discount for line in command.lines)
    assert created.item_count == sum(line.quantity for line in command.lines)
    assert created.ordered_at == (command.ordered_at or NOON)


def test_a_cancellation_says_what_its_customer_and_its_day_lose():
    (cancelled,) = ORDER.decide(CANCEL, order(CREATED).state, order().context)
    assert (cancelled.total, cancelled.currency, cancelled.ordered_at) == (TOTAL, "USD", CREATED.ordered_at)
