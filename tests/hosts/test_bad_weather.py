"""Rounds of faults chosen at random while orders are placed: cuts in both and in one direction, slow and lossy wires,
links that flap. Nothing acknowledged is lost, every order comes to its end, all heals by itself."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import permutations

import pytest

from tests.end_to_end.saga_invariants import check
from tests.hosts.hosted_shop import HostedShop
from tests.hosts.network import HOSTS
from tests.support.services import until

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(3600)]

ROUNDS = 16
# Orders that are placed while a fault lasts; as many may wait for an answer at a time.
ORDERS_A_ROUND = 8
Fault = Callable[[HostedShop, random.Random], Awaitable[str]]


@pytest.mark.slow
async def test_whatever_the_network_does_all_comes_to_its_end(shop: HostedShop, seed: int) -> None:
    """Prints the seed, each fault and how the orders ended (`-s` shows it); HOSTS_SEED repeats the choices."""
    choose, numbers = random.Random(seed), iter(range(ROUNDS * ORDERS_A_ROUND))
    async with asyncio.TaskGroup() as customers:
        for number in range(ROUNDS):
            for order in [next(numbers) for _ in range(ORDERS_A_ROUND)]:
                lines = [("plenty", choose.randint(1, 3), choose.randint(1, 99))]
                customers.create_task(shop.place(f"storm-{order}", f"waits-{order}", lines))
            fault = FAULTS[number % len(FAULTS)]
            print(f"round {number}: {await fault(shop, choose)}; {shop.network.counts()}")
    await shop.settle(600)
    ends = await check(shop)
    print(f"ends: {dict(Counter(ends.values()))}; {shop.network.counts()}")
    print(await shop.verify())
    for service in shop.others:
        await until(lambda service=service: shop.is_ready(service), f"{service.name} is ready", 120)


async def cut(shop: HostedShop, choose: random.Random) -> str:
    one, other = choose.choice(list(permutations(HOSTS, 2)))
    seconds = choose.uniform(2, 8)
    shop.network.cut(one, other)
    await asyncio.sleep(seconds)
    shop.network.mend(one, other)
    return f"{one} and {other} cut from each other for {seconds:.1f} s"


async def cut_one_way(shop: HostedShop, choose: random.Random) -> str:
    one, other = choose.choice(list(permutations(HOSTS, 2)))
    seconds = choose.uniform(2, 8)
    shop.network.cut(one, other, one_way=True)
    await asyncio.sleep(seconds)
    shop.network.mend(one, other)
    return f"nothing of {one} arrived at {other} for {seconds:.1f} s"


async def slow_and_lossy(shop: HostedShop, choose: random.Random) -> str:
    seconds = choose.uniform(5, 15)
    shop.network.wire(delay=0.2, loss=0.05)
    await asyncio.sleep(seconds)
    shop.network.wire()
    return f"200 ms each way and 5 % lost for {seconds:.1f} s"


async def flapping(shop: HostedShop, choose: random.Random) -> str:
    host, times = choose.choice(HOSTS), choose.randint(3, 6)
    for _ in range(times):
        shop.network.link(host, up=False)
        await asyncio.sleep(0.5)
        shop.network.link(host, up=True)
        await asyncio.sleep(0.5)
    return f"the link of {host} went down and up {times} times, every second"


FAULTS: tuple[Fault, ...] = (cut, cut_one_way, slow_and_lossy, flapping)
