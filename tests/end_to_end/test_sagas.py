"""Orders over all real processes, with a provider that misbehaves and everybody killed in turn: nothing is confirmed
that is not reserved and paid, nothing is kept of what is cancelled, nothing is forgotten."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from time import monotonic

import pytest
import pytest_asyncio

from domain.ordering.order import Status
from tests.end_to_end.killer import Killer
from tests.end_to_end.saga_invariants import check
from tests.end_to_end.saga_shop import FAULTS, SagaShop, running_saga_shop
from tests.support.services import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUSTOMERS = (
    *("ships", "waits", "settles-later", "card-declined", "ships", "hasty"),
    *("declined-later", "regrets", "waits", "refund-later", "ships", "refund-fails"),
)
"""By the name follows what becomes of the order: at the provider, in the warehouse, and in the customer's mind."""
AT_ONCE = 16


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SagaShop]:
    """One shop for all tests, for its processes take seconds to start; what must hold, holds of all its orders."""
    async with running_saga_shop(tmp_path_factory.mktemp("sagas"), patience=20) as shop:
        yield shop


@asynccontextmanager
async def people_at_work(shop: SagaShop) -> AsyncIterator[None]:
    """The warehouse and the customers do their part."""
    people = asyncio.create_task(shop.people())
    try:
        yield
    finally:
        people.cancel()
        outcome = await asyncio.gather(people, return_exceptions=True)
    assert isinstance(outcome[0], asyncio.CancelledError), outcome


async def place(shop: SagaShop, number: int) -> None:
    """One order of one or two articles: there is plenty of one, little of another, and none ever of the third."""
    order, customer, choose = f"order-{number}", CUSTOMERS[number % len(CUSTOMERS)], random.Random(number)
    skus = choose.choices(("plenty", "little", "never"), (40, 8, 1), k=2)
    await shop.place(
        order, f"{customer}-{number}", [(sku, choose.randint(1, 3), choose.randint(1, 99)) for sku in skus]
    )
    if customer == "hasty":
        await shop.cancel(order)


async def trade_while_everybody_is_killed(
    shop: SagaShop, numbers: range, victims: Sequence[Service], kills: int
) -> list[str]:
    """Places these orders, some of them around each kill; gives their ids. The next one is killed when the last one is
    back."""
    await shop.goes_wrong(**FAULTS)
    places, left = asyncio.Semaphore(AT_ONCE), iter(numbers)

    async def one(number: int) -> None:
        async with places:
            await place(shop, number)

    async with asyncio.TaskGroup() as tasks:
        for victim in islice(cycle(victims), kills):
            for number in islice(left, -(-len(numbers) // kills)):
                tasks.create_task(one(number))
            await shop.kill(victim)
            await shop.answers(victim)
    await shop.goes_wrong()
    return [f"order-{number}" for number in numbers]


async def test_fifty_orders_at_once_for_one_article_get_exactly_the_stock(shop: SagaShop) -> None:
    await shop.receive("lamp", 60)
    orders = [f"lamp-{number}" for number in range(50)]
    await asyncio.gather(*(shop.place(order, f"waits-{order}", [("lamp", 2, 500)]) for order in orders))
    await shop.settle(120)
    ends = await check(shop)
    assert Counter(ends[order] for order in orders) == {Status.CONFIRMED: 30, Status.CANCELLED: 20}
    refused = {shop.saga_log.instances[order].state.failure for order in orders} - {""}
    assert refused == {"article lamp can't be reserved: 2 of article lamp are wanted and 0 are available"}


async def test_orders_come_to_their_end_while_everybody_is_killed(shop: SagaShop) -> None:
    await shop.receive("plenty", 1_000)
    await shop.receive("little", 5)
    victims = [shop.managers[0], shop.commands, shop.consumers, shop.provider, shop.node, shop.managers[1]]
    async with people_at_work(shop):
        orders = await trade_while_everybody_is_killed(shop, range(40), victims, kills=6)
        await shop.settle(120)
    ends = await check(shop)
    assert {ends[order] for order in orders} >= {Status.SHIPPED, Status.CONFIRMED, Status.CANCELLED}


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_thousand_orders_come_to_their_end_while_somebody_is_killed_every_second(shop: SagaShop) -> None:
    """Prints its figures (`-s` shows them)."""
    await shop.receive("plenty", 10_000)
    await shop.receive("little", 150)
    victims = [shop.managers[0], shop.commands, shop.consumers, shop.provider, shop.node, shop.managers[1]]
    victims += [shop.webhooks, shop.sink.service]
    killer, began = Killer(shop, victims), monotonic()
    async with people_at_work(shop):
        killing = asyncio.create_task(killer.run())
        try:
            orders = await trade_for_a_minute(shop, range(1_000, 2_000))
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
        assert killing.cancelled(), killing
        placed = monotonic() - began
        await killer.all_back()
        await shop.settle(600)
    settled = monotonic() - began - placed
    ends = await check(shop)
    print(
        f"placed in {placed:.0f} s, {sum(killer.kills.values())} kills, {killer.overlapping} of them with others away"
    )
    print(f"all at their end {settled:.0f} s after the last; kills {dict(killer.kills)}")
    print(f"ends {dict(Counter(str(ends[order]) for order in orders))}")
    print(f"causes {dict(Counter(cause(shop.saga_log.instances[order].state.failure) for order in orders))}")
    assert {ends[order] for order in orders} == {Status.SHIPPED, Status.CONFIRMED, Status.CANCELLED, "stuck"}


async def trade_for_a_minute(shop: SagaShop, numbers: range) -> list[str]:
    """Places these orders evenly over a minute, however long each takes; gives their ids."""
    await shop.goes_wrong(**FAULTS)
    async with asyncio.TaskGroup() as tasks:
        for number in numbers:
            tasks.create_task(place(shop, number))
            await asyncio.sleep(60 / len(numbers))
    return [f"order-{number}" for number in numbers]


def cause(failure: str) -> str:
    """Why an order was undone, without what differs from order to order."""
    return re.sub(r"article \S+|\d+", "_", failure).partition(":")[0] or "none"
