"""Sends baskets to the command API, a number of them at a time: places each order, then moves it on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from examples.retail.baskets.basket import Basket, order_body
from examples.retail.loading.order_lifecycles import steps_of
from examples.retail.loading.outcome import Outcome, Refusal
from infrastructure.http.client import ServiceClient, ServiceResponse

POSITION_HEADER = "Eventfold-Position"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A command that the API acknowledged: what it did to which order, and the commit position."""

    order_id: str
    command: str
    position: int


async def _ignore_acknowledged(_: Acknowledged) -> None:
    pass


def _ignore_done(_: int) -> None:
    pass


class Loader:
    """One load. `on_acknowledged` runs before the order's next command; `on_done` gets the ordinal of each basket."""

    def __init__(
        self,
        client: ServiceClient,
        *,
        in_flight: int,
        move_on: bool,
        on_acknowledged: Callable[[Acknowledged], Awaitable[None]] = _ignore_acknowledged,
        on_done: Callable[[int], None] = _ignore_done,
    ) -> None:
        self.outcome = Outcome()
        self._client = client
        self._in_flight = in_flight
        self._move_on = move_on
        self._on_acknowledged = on_acknowledged
        self._on_done = on_done

    async def load(self, baskets: Iterable[Basket], first_ordinal: int = 0) -> Outcome:
        """Send every basket; `self.outcome` is up to date while this runs too, and after it was cancelled.

        Raises:
            NoResponse: a command had no final answer in time.
        """
        numbered = enumerate(baskets, first_ordinal)
        started = time.perf_counter()
        retries_before = self._client.retries
        workers = [asyncio.create_task(self._work(numbered)) for _ in range(self._in_flight)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self.outcome.seconds += time.perf_counter() - started
            self.outcome.retries += self._client.retries - retries_before
        return self.outcome

    async def _work(self, baskets: Iterator[tuple[int, Basket]]) -> None:
        for ordinal, basket in baskets:
            await self._send(basket)
            self.outcome.baskets += 1
            self._on_done(ordinal)

    async def _send(self, basket: Basket) -> None:
        path = f"/orders/{basket.order_id}"
        placed = await self._command(basket.order_id, "place", "PUT", path, order_body(basket))
        if not placed or not self._move_on:
            return
        for step in steps_of(basket.basket_id):
            if not await self._command(basket.order_id, step.name, "POST", f"{path}/{step.name}", step.body):
                return

    async def _command(self, order_id: str, command: str, method: str, path: str, body: dict[str, Any]) -> bool:
        """Whether the command was accepted. Its key depends on the order and the command alone, so that the
        API recognises a repetition, in this load or a later one."""
        headers = {"Idempotency-Key": f"{order_id}-{command}"}
        answer = await self._client.request(method, path, json=body, headers=headers)
        if answer.status not in (200, 201):
            self.outcome.refusals.append(Refusal.of(order_id, command, answer))
            return False
        self.outcome.accepted[command] += 1
        position = _position(answer)
        self.outcome.position = max(self.outcome.position, position)
        await self._on_acknowledged(Acknowledged(order_id, command, position))
        return True


def _position(answer: ServiceResponse) -> int:
    return int(answer.headers[POSITION_HEADER])
