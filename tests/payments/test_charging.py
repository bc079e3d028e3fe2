"""Charges and refunds over real processes: the provider's answers, its webhooks, and what is recorded."""

from domain.payments.payment import Status
from tests.payments.shop import Shop


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
