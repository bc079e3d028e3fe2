"""Charges and refunds over real processes: the provider's answers, its webhooks, and what is recorded."""

import pytest

from domain.payments.payment import Status
from tests.payments.shop import Shop, put
from tests.support.services import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_each_outcome_gets_into_the_payment(shop: Shop):
    await shop.ask_for("o-charged")
    await shop.ask_for("o-declined", customer="card-declined-1")
    await shop.ask_for("o-later", customer="settles-later-1")
    await shop.ask_for("o-declined-later", customer="declined-later-1")
    await shop.is_at("o-charged", Status.CHARGED)
    await shop.is_at("o-declined", Status.DECLINED)
    await shop.is_at("o-later", Status.CHARGED)
    await shop.is_at("o-declined-later", Status.DECLINED)
    assert await shop.events("o-later") == ["ChargeRequested", "ChargeSettling", "PaymentCharged"]
    await shop.is_told("o-later", "matched")
    for order, customer, last in (
        ("o-back", "ada", Status.REFUNDED),
        ("o-back-later", "refund-later-1", Status.REFUNDED),
        ("o-kept", "refund-fails-1", Status.REFUND_FAILED),
    ):
        await shop.ask_for(order, customer=customer)
        await shop.is_at(order, Status.CHARGED)
        assert await shop.void(order) == 200
        await shop.is_at(order, last)
    orders = ["o-charged", "o-declined", "o-later", "o-declined-later", "o-back", "o-back-later", "o-kept"]
    await shop.money_agrees(orders)


FAULTS = {
    "no JSON": {"errors": ["not-json"], "error_share": 0.5},
    "cut off": {"errors": ["cut-off"], "error_share": 0.5},
    "429 with Retry-After": {"errors": ["429"], "error_share": 0.5, "retry_after": 1},
    "302 to elsewhere": {"errors": ["302"], "error_share": 0.5},
    "500 and 503": {"errors": ["500", "503"], "error_share": 0.5, "retry_after": 0},
    "hanging after the charge": {"hang_share": 0.3, "hang_for": 30},
    "webhooks twice, early, in any order": {
        "webhook_duplicates": 2,
        "webhook_early": True,
        "webhook_shuffled": True,
    },
    "late webhooks": {"webhook_delay": 1, "webhook_duplicates": 1},
}
CUSTOMERS = ("ada", "card-declined", "settles-later", "declined-later", "refund-later", "ada")


IN_TURN = ("no JSON", "302 to elsewhere", "429 with Retry-After", "webhooks twice, early, in any order")
"""The others are tried too, beside them, where there is time."""


@pytest.mark.parametrize(
    "fault", [name if name in IN_TURN else pytest.param(name, marks=pytest.mark.slow) for name in FAULTS]
)
async def test_faults_change_no_outcome(shop: Shop, fault: str):
    await put(shop.provider, "faults", **FAULTS[fault])
    name = fault.replace(" ", "-").replace(",", "")
    orders = [f"{name}-{number}" for number in range(len(CUSTOMERS))]
    for order, customer in zip(orders, CUSTOMERS, strict=True):
        await shop.ask_for(order, customer=customer)
    await shop.all_ended(orders)
    statuses = [(await shop.payment(order)).status for order in orders]  # type: ignore[union-attr]
    charged, declined = Status.CHARGED, Status.DECLINED
    assert statuses == [charged, declined, charged, declined, charged, charged]
    for order in orders[:1] + orders[4:]:
        assert await shop.void(order) == 200
        await shop.is_at(order, Status.REFUNDED)
    await put(shop.provider, "faults")
    await shop.money_agrees(orders)
    assert await shop.parked() == 0


async def test_when_the_provider_is_away_orders_wait_and_nothing_is_parked(shop: Shop):
    logged = len(shop.consumers.log.read_text())
    await shop.provider.kill()
    orders = [f"away-{number}" for number in range(8)]
    for order in orders:
        await shop.ask_for(order)

    async def refused() -> bool:
        return await shop.metric(shop.consumers, 'eventfold_circuit_state{dependency="payments"}') > 0

    await until(refused, "the provider is found away", 60)
    # What needs no provider goes on meanwhile.
    assert await shop.void(orders[0]) == 200
    assert await shop.void(orders[1]) == 200
    assert await shop.parked() == 0
    await shop.provider.start()
    for order in orders[2:]:
        await shop.is_at(order, Status.CHARGED)
    # Given up before the provider was asked: the charge comes too late, and is given back.
    for order in orders[:2]:
        await shop.is_at(order, Status.REFUNDED)
    assert await shop.events(orders[0]) == [
        *("ChargeRequested", "PaymentVoided", "PaymentCharged", "RefundRequested", "PaymentRefunded")
    ]
    await shop.money_agrees(orders)
    assert await shop.parked() == 0
    told = shop.consumers.log.read_text()[logged:]
    assert "a consumer waits for what it depends on" in told
    assert "a consumer failed" not in told, "that is no fault of the consumer"


async def test_an_answer_that_differs_from_what_was_asked_is_a_mismatch(shop: Shop):
    await put(shop.provider, "faults", amount_off=1)
    await shop.ask_for("differs-1")
    await shop.is_told("differs-1", "mismatched")
    assert (await shop.payment("differs-1")).status is Status.REQUESTED  # type: ignore[union-attr]
    assert await shop.parked() == 0
