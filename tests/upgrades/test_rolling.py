"""Every service is replaced by that of another version, one after the other, while orders come in: forward and back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.end_to_end.saga_invariants import check
from tests.end_to_end.saga_shop import SagaShop, running_saga_shop
from tests.end_to_end.test_sagas import people_at_work, place
from tests.support.services import ROOT, Service

pytestmark = pytest.mark.many_processes  # each is replaced by itself

# Orders between two replacements, so that each meets what is under way.
ORDERS_BETWEEN = 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_every_service_is_replaced_under_load_and_put_back(former_installed: Path, tmp_path: Path) -> None:
    """Prints which were replaced, and how the orders ended (`-s` shows it)."""
    async with running_saga_shop(tmp_path, patience=120, root=former_installed) as shop:
        await shop.receive("plenty", 10_000)
        await shop.receive("little", 20)
        numbers = count()
        forward = readers_first(shop)
        for root, services in ((ROOT, forward), (former_installed, forward[::-1])):
            async with people_at_work(shop):
                async with orders_coming(shop, numbers):
                    await replaced(shop, services, root)
                await shop.settle(600)
            ends = await check(shop)
            print(f"{len(ends)} orders, {len(shop.saga_log.events)} events: all as they must be")
            print(await shop.verify(root))


def readers_first(shop: SagaShop) -> list[Service]:
    """What reads events before what writes newer ones: the order in which they are replaced; the node last."""
    readers = [shop.projector, shop.queries, shop.consumers, *shop.managers]
    return [*readers, shop.webhooks, shop.commands, shop.node]


async def replaced(shop: SagaShop, services: Sequence[Service], root: Path) -> None:
    """Stops each and starts it from another tree; the next one when it answers and some more orders are placed."""
    for service in services:
        placed = len(shop.orders)
        await service.stop()
        service.root = root
        await service.start()
        await shop.answers(service)
        while len(shop.orders) < placed + ORDERS_BETWEEN:
            await asyncio.sleep(0.05)
        print(f"{service.name} runs from {root}")


@asynccontextmanager
async def orders_coming(shop: SagaShop, numbers: "count[int]") -> AsyncIterator[None]:
    """Customers place one order after the other, four at a time; each is acknowledged at the end."""
    over = asyncio.Event()

    async def customer() -> None:
        while not over.is_set():
            await place(shop, next(numbers))
            await asyncio.sleep(0.5)  # a load that a busy machine can bear; nothing waits for it

    async with asyncio.TaskGroup() as customers:
        for _ in range(4):
            customers.create_task(customer())
        try:
            yield
        finally:
            over.set()
