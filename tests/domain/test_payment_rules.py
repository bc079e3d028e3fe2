"""The payment of an order: given what has happened, when a command comes, then these events or this refusal."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec import Struct

from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.model.money import MAX_AMOUNT
from domain.payments.aggregate import PAYMENT
from domain.payments.commands import (
    RecordCharge,
    RecordDecline,
    RecordRefund,
    RecordRefundFailure,
    RecordSettling,
    RequestCharge,
    VoidPayment,
)
from domain.payments.events import PaymentCharged, PaymentRefunded, PaymentVoided, RefundRequested
from domain.payments.payment import Payment, Status
from tests.support.decider import NOON, Given
from tests.support.payments import (
    CHARGED,
    DECLINED,
    HISTORIES,
    REFUND_FAILED,
    REFUNDED,
    REFUNDING,
    REQUESTED,
    SETTLING,
    VOIDED,
)

REQUEST = RequestCharge("ada", "USD", 1900)
CHARGE = RecordCharge("ch_1", "USD", 1900)

CHARGED_TOO_LATE = RefundRequested("o-1", "USD", 1900, "ch_1", "it was charged after the payment was given up", NOON)

# (status, command) -> the events; whatever is not here is forbidden.
ALLOWED: dict[tuple[Status, Struct], list[Struct]] = {
    (Status.REQUESTED, RecordSettling("ch_1")): [SETTLING],
    (Status.REQUESTED, CHARGE): [CHARGED],
    (Status.SETTLING, CHARGE): [CHARGED],
    (Status.VOIDED, CHARGE): [CHARGED, CHARGED_TOO_LATE],
    (Status.REQUESTED, RecordDecline("no funds")): [DECLINED],
    (Status.SETTLING, RecordDecline("no funds")): [DECLINED],
    (Status.VOIDED, RecordDecline("no funds")): [DECLINED],
    (Status.REQUESTED, VoidPayment("too late")): [VOIDED],
    (Status.SETTLING, VoidPayment("too late")): [VOIDED],
    (Status.CHARGED, VoidPayment("cancelled")): [REFUNDING],
    (Status.REFUND_FAILED, VoidPayment("cancelled")): [REFUNDING],
    (Status.REFUNDING, RecordRefund("re_1")): [REFUNDED],
    (Status.REFUND_FAILED, RecordRefund("re_1")): [REFUNDED],
    (Status.REFUNDING, RecordRefundFailure("account closed")): [REFUND_FAILED],
}
COMMANDS = [*dict.fromkeys(command for _, command in ALLOWED)]


def payment(*events: Struct) -> Given:
    return Given(PAYMENT, "o-1", *events)


def test_a_charge_is_requested_once() -> None:
    payment().when(REQUEST).then(REQUESTED)
    for history in HISTORIES.values():
        payment(*history).when(REQUEST).then_violation("payment-exists")


@pytest.mark.parametrize("status", HISTORIES)
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_what_each_state_allows(status: Status, command: Struct) -> None:
    when = payment(*HISTORIES[status]).when(command)
    if (status, command) in ALLOWED:
        when.then(*ALLOWED[status, command])
    elif not any(status is one and type(command) is type(other) for one, other in ALLOWED):
        when.then_violation(f"payment-is-{status.replace('_', '-')}")


@pytest.mark.parametrize("charge", [RecordCharge("ch_1", "USD", 1899), RecordCharge("ch_1", "EUR", 1900)])
@pytest.mark.parametrize("status", [Status.REQUESTED, Status.SETTLING, Status.VOIDED])
def test_another_amount_than_was_asked_for_is_refused(status: Status, charge: RecordCharge) -> None:
    violation = payment(*HISTORIES[status]).when(charge).then_violation("amount-differs")
    assert "1900 USD were asked for" in violation.detail


def test_another_charge_than_the_one_under_way_is_refused() -> None:
    payment(*HISTORIES[Status.SETTLING]).when(RecordCharge("ch_2", "USD", 1900)).then_violation("another-charge")


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_no_payment(command: Struct) -> None:
    payment().when(command).then_error(NoSuchAggregate)


@pytest.mark.parametrize(
    ("command", "pointers"),
    [
        (RequestCharge("", "usd", 0), ["/customer_id", "/currency", "/amount"]),
        (RequestCharge("ada", "USD", MAX_AMOUNT + 1), ["/amount"]),
        (RecordCharge(" ", "XXX", -1), ["/charge_id", "/currency", "/amount"]),
        (RecordSettling("c" * 129), ["/charge_id"]),
        (RecordDecline(""), ["/reason"]),
        (VoidPayment("\n"), ["/reason"]),
        (RecordRefund(""), ["/refund_id"]),
        (RecordRefundFailure("x" * 501), ["/reason"]),
    ],
    ids=repr,
)
def test_every_fault_is_named(command: Struct, pointers: list[str]) -> None:
    payment(REQUESTED).when(command).then_faults(*pointers)


@given(st.lists(st.sampled_from([REQUEST, *COMMANDS]), max_size=30))
def test_whatever_comes_money_is_taken_once_and_given_back_once_at_most(commands: list[Any]) -> None:
    state: Payment | None = None
    taken = given_back = 0
    voided = False
    for command in commands:
        try:
            events = PAYMENT.decide(command, state, CommandContext("o-1", NOON))
        except (RuleViolation, NoSuchAggregate):
            continue
        for event in events:
            state = PAYMENT.evolve(state, event)
            taken += isinstance(event, PaymentCharged)
            given_back += isinstance(event, PaymentRefunded)
            voided |= isinstance(event, PaymentVoided)
        assert 0 <= given_back <= taken <= 1
        assert state is not None
        if voided:
            assert state.status is not Status.CHARGED, "what was given up is not kept"
