"""Commands while the payment provider is dead, beside the same commands while it is well: p99 of both, in turns.

Every service runs. Clients send commands that need no provider (stock that comes in), as fast as they are answered;
beside them, payments are requested at a steady rate, and the consumers charge them. The provider is well, hangs up on
everybody (down), or is stopped and says nothing at all (silent: each attempt waits for 1.5 s); between two turns it is
well until every payment is charged. A ratio is the median of those within each round, and is to be at most 1.2.
"""

import asyncio
import signal
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import uvloop

from benchmarks.http_load import LoadResult, load, request
from tests.end_to_end.saga_shop import SagaShop, running_saga_shop
from tests.support.services import until

STATES = ("well", "down", "silent")
ROUNDS = 5
COMMANDS = 2_000
CONNECTIONS = 8
ARTICLES = 200
PAYMENTS_A_SECOND = 30
BEFORE_A_TURN = 2.0
"""Seconds: by then the breaker is open, where it is going to be."""


class Payments:
    """Requests them, one after another, at a steady rate while `going` is set."""

    def __init__(self, shop: SagaShop) -> None:
        self.requested = 0
        self.going = asyncio.Event()
        self._shop = shop

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while await self.going.wait():
                self.requested += 1
                tasks.create_task(self._request(f"outside-{self.requested}"))
                await asyncio.sleep(1 / PAYMENTS_A_SECOND)

    async def _request(self, order: str) -> None:
        body = {"customer_id": "ada", "currency": "EUR", "amount": 100}
        async with self._shop.http.post(
            f"{self._shop.commands.url}/payments/{order}/request-charge", json=body
        ) as response:
            if response.status != 200:
                raise RuntimeError(f"{response.status} {await response.text()}")

    async def are_charged(self) -> bool:
        """Whether the provider has charged all."""
        async with self._shop.http.get(f"{self._shop.provider.url}/sandbox/status") as response:
            return bool((await response.json())["charges"] >= self.requested)


async def run() -> None:
    """Prints p50 and p99 by state, and the ratios to those with the provider well."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_saga_shop(Path(folder), patience=1800) as shop:
            payments = Payments(shop)
            requesting = asyncio.create_task(payments.run())
            try:
                found = await _rounds(shop, payments)
            finally:
                requesting.cancel()
                await asyncio.gather(requesting, return_exceptions=True)
    for state in STATES:
        p50, p99 = (statistics.median(one.percentile(percent) * 1000 for one in found[state]) for percent in (50, 99))
        rate = statistics.median(one.per_second for one in found[state])
        print(f"provider {state}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {rate:.0f} commands/s{_ratio(found, state)}")


async def _rounds(shop: SagaShop, payments: Payments) -> dict[str, list[LoadResult]]:
    found = defaultdict(list)
    for round_number in range(ROUNDS + 1):
        # Each state comes first as often as last, so that what grows with time falls on all alike.
        for state in STATES if round_number % 2 else reversed(STATES):
            await until(payments.are_charged, "every payment is charged", 300)
            payments.going.set()
            result = await _turn(shop, state, f"{round_number}-{state}")
            payments.going.clear()
            if round_number > 0:  # the first round warms up
                found[state].append(result)
    return found


async def _turn(shop: SagaShop, state: str, name: str) -> LoadResult:
    if state == "down":
        await shop.goes_wrong(down=True)
    elif state == "silent":
        shop.provider.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(BEFORE_A_TURN)
        return await _commands(shop, name)
    finally:
        if state == "silent":
            shop.provider.signal(signal.SIGCONT)
        await shop.goes_wrong()


async def _commands(shop: SagaShop, name: str) -> LoadResult:
    host, port, body = "127.0.0.1", shop.commands.port, b'{"quantity":1}'

    def make(number: int) -> bytes:
        return request("POST", f"/stock/{name}-{number % ARTICLES}/receive", host, body=body)

    result = await load(host, port, make, connections=CONNECTIONS, requests=COMMANDS)
    if set(result.statuses) != {200}:
        raise RuntimeError(f"not every command was carried out: {result.statuses}")
    return result


def _ratio(found: dict[str, list[LoadResult]], state: str) -> str:
    if state == "well":
        return ""
    pairs = zip(found[state], found["well"], strict=True)
    ratio = statistics.median(one.percentile(99) / well.percentile(99) for one, well in pairs)
    return f"; p99 {ratio:.2f} times that with the provider well"


if __name__ == "__main__":
    uvloop.run(run())
