"""The payment of an order in each state, and what was charged and given back by day, by examples."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from domain.payments.payment import Status
from read_models.payments.daily_payments import DAILY_PAYMENTS
from read_models.payments.payments import PAYMENTS
from tests.read_models.given import Given
from tests.support.payments import CHARGED, DECLINED, HISTORIES, REFUNDED, REFUNDING, REQUESTED, VOIDED

NOON_MS = 1_773_489_600_000

PAYMENT = {
    "order_id": "o-1",
    "customer_id": "ada",
    "currency": "USD",
    "amount": 1900,
    "requested_at": NOON_MS,
    "updated_at": NOON_MS,
}
SETTLED = {"charge_id": "ch_1", "settling_at": NOON_MS}
WHEN_CHARGED = {"charge_id": "ch_1", "charged_at": NOON_MS}
WHEN_REFUNDING = WHEN_CHARGED | {"refund_requested_at": NOON_MS, "reason": "cancelled"}
IN_EACH_STATE: dict[Status, dict[str, Any]] = {
    Status.REQUESTED: {},
    Status.SETTLING: SETTLED,
    Status.CHARGED: SETTLED | WHEN_CHARGED,
    Status.DECLINED: {"declined_at": NOON_MS, "reason": "no funds"},
    Status.VOIDED: {"voided_at": NOON_MS, "reason": "too late"},
    Status.REFUNDING: WHEN_REFUNDING,
    Status.REFUND_FAILED: WHEN_REFUNDING | {"refund_failed_at": NOON_MS, "reason": "account closed"},
    Status.REFUNDED: WHEN_REFUNDING | {"refunded_at": NOON_MS, "refund_id": "re_1"},
}


@pytest.mark.parametrize("status", Status)
async def test_a_payment_in_each_state(status: Status) -> None:
    history = HISTORIES[status]
    given = Given(PAYMENTS, *history)
    fields = {"status": status.value, "version": len(history) - 1, "requested_position": given.positions[0]}
    await given.then(**{"o-1": PAYMENT | fields | IN_EACH_STATE[status]})


async def test_a_charge_that_came_after_the_payment_was_given_up() -> None:
    given = Given(PAYMENTS, REQUESTED, VOIDED, CHARGED, REFUNDING, REFUNDED)
    fields = {"status": "refunded", "version": 4, "requested_position": given.positions[0], "voided_at": NOON_MS}
    await given.then(**{"o-1": PAYMENT | IN_EACH_STATE[Status.REFUNDED] | fields})


DAY = {
    "day": 20260314,
    "currency": "USD",
    "charges": 1,
    "charged": 1900,
    "refunds": 0,
    "refunded": 0,
    "declines": 0,
    "declined": 0,
}


class TestDailyPayments:
    async def test_what_was_charged_and_declined(self) -> None:
        declined = replace(DECLINED, order_id="o-3", amount=7)
        given = Given(DAILY_PAYMENTS, REQUESTED, CHARGED, replace(CHARGED, order_id="o-2", amount=100), declined)
        await given.then(**{"2026-03-14:USD": DAY | {"charges": 2, "charged": 2000, "declines": 1, "declined": 7}})

    async def test_a_refund_stands_on_the_day_of_its_charge(self) -> None:
        later = replace(REFUNDED, refunded_at=REFUNDED.refunded_at + timedelta(days=3))
        given = Given(DAILY_PAYMENTS, CHARGED, REFUNDING, later)
        await given.then(**{"2026-03-14:USD": DAY | {"refunds": 1, "refunded": 1900}})

    async def test_currencies_and_days_apart(self) -> None:
        evening_in_new_york = datetime(2026, 3, 14, 20, 30, tzinfo=timezone(timedelta(hours=-4)))
        given = Given(
            DAILY_PAYMENTS,
            CHARGED,
            replace(CHARGED, order_id="o-2", currency="JPY"),
            replace(CHARGED, order_id="o-3", charged_at=evening_in_new_york),
        )
        await given.then(
            **{
                "2026-03-14:USD": DAY,
                "2026-03-14:JPY": DAY | {"currency": "JPY"},
                "2026-03-15:USD": DAY | {"day": 20260315},
            }
        )

    async def test_a_day_of_declines_alone(self) -> None:
        nothing = {"charges": 0, "charged": 0, "declines": 1, "declined": 1900}
        await Given(DAILY_PAYMENTS, DECLINED).then(**{"2026-03-14:USD": DAY | nothing})
