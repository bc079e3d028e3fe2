"""The provider, the consumers, the webhooks and the command API are killed between any two steps: in the end, the money
at the provider is the money in our events."""

import asyncio
import random

import pytest

from domain.payments.payment import Status
from tests.payments.shop import Shop, put

pytestmark = pytest.mark.asyncio(loop_scope="package")

CUSTOMERS = ("ada", "settles-later", "card-declined", "declined-later", "refund-later", "bob")


@pytest.mark.parametrize("rounds", [2, pytest.param(24, marks=pytest.mark.slow)])
async def test_kills_lose_and_double_nothing(shop: Shop, rounds: int):
    choose = random.Random(rounds)
    orders: list[str] = []
    given_up: list[str] = []
    await put(
        shop.provider,
        "faults",
        webhook_duplicates=1,
        webhook_shuffled=True,
        errors=["500", "cut-off"],
        error_share=0.1,
    )
    killable = [shop.provider, shop.consumers, shop.webhooks, shop.commands]
    for round_ in range(rounds):
        fresh = [f"kill-{rounds}-{round_}-{number}" for number in range(6)]
        victim = killable[(round_ + rounds // 8) % len(killable)]

        async def trade(fresh: list[str] = fresh) -> None:
            for order, customer in zip(fresh, CUSTOMERS, strict=True):
                await shop.ask_for(order, customer=customer)
                # Refused when it is declined already; given back, or given up before it succeeds, otherwise.
                if choose.random() < 0.4 and await shop.void(order) == 200:
                    given_up.append(order)

        async def kill(victim=victim) -> None:
            await asyncio.sleep(choose.uniform(0, 0.15))  # where it hits is the point
            await victim.kill()
            await victim.start()

        await asyncio.gather(trade(), kill())
        orders += fresh
    for one in killable:
        while not await one.answers():
            await asyncio.sleep(0.05)
    await put(shop.provider, "faults")  # a provider that was killed has none any more
    await shop.all_ended([order for order in orders if order not in given_up])
    for order in given_up:
        await shop.is_at(order, Status.REFUNDED, Status.DECLINED)
    await shop.money_agrees(orders)
    assert await shop.parked() == 0
