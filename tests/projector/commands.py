"""Random commands over HTTP, repeated under the same key until they are answered."""

import asyncio
import random
import uuid
from typing import Any

import aiohttp

from tests.support.services import Service, until

AGAIN = 503


class Customers:
    """Place orders, and move them on: not always as the rules have it. `orders` are those that commands are sent to."""

    def __init__(self, commands: Service, http: aiohttp.ClientSession, choose: random.Random) -> None:
        self.orders: list[str] = []
        self.answers: dict[int, int] = {}
        self._url = commands.url
        self._http = http
        self._choose = choose

    async def some(self, number: int) -> None:
        """So many commands, a few at a time."""
        for _ in range(0, number, 4):
            await asyncio.gather(*(self.one() for _ in range(4)))

    async def one(self) -> None:
        """One command; whatever the answer is, it has been answered."""
        choose = self._choose
        if not self.orders or choose.random() < 0.35:
            order = f"w{choose.randrange(10**9)}"
            await self._send("PUT", f"/orders/{order}", self._place())
            self.orders.append(order)
            return
        # Mostly the young ones: the old ones are at their end.
        order = choose.choice(self.orders[-30:] if choose.random() < 0.9 else self.orders)
        action, body = choose.choice(
            [
                ("confirm", None),
                ("confirm", None),
                ("ship", {"carrier": "DHL", "tracking_number": "JD01"}),
                ("ship", {"carrier": "DHL", "tracking_number": "JD02"}),
                ("deliver", None),
                ("cancel", {"reason": "changed my mind"}),
            ]
        )
        await self._send("POST", f"/orders/{order}/{action}", body)

    def _place(self) -> dict[str, Any]:
        choose = self._choose
        lines = [
            {"sku": f"sku-{line}", "quantity": choose.randrange(1, 9), "unit_price": choose.randrange(999)}
            for line in range(choose.randrange(1, 4))
        ]
        return {
            "customer_id": f"w-c{choose.randrange(15)}",
            "currency": choose.choice(["USD", "EUR"]),
            "lines": lines,
            "ordered_at": f"2026-03-{choose.randrange(10, 20)}T12:00:00Z",
        }

    async def _send(self, method: str, path: str, body: Any) -> None:
        headers = {"Idempotency-Key": str(uuid.UUID(int=self._choose.getrandbits(128), version=4))}
        statuses: list[int] = []

        async def answered() -> bool:
            try:
                async with self._http.request(method, self._url + path, json=body, headers=headers) as answer:
                    statuses.append(answer.status)
                    # 500: its history can't be read, for somebody has put into it what no command would.
                    assert answer.status in (200, 201, 409, 500, AGAIN), await answer.text()
                    return answer.status != AGAIN
            except aiohttp.ClientError:
                return False

        await until(answered, f"{method} {path} is answered", 60)
        self.answers[statuses[-1]] = self.answers.get(statuses[-1], 0) + 1
