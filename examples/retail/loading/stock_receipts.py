"""Receives stock through the command API, before baskets are placed."""

import asyncio
from collections.abc import Callable, Mapping

from infrastructure.http.client import ServiceClient


class StockRefused(Exception):
    """The command API does not take the stock in."""


async def receive_stock(
    client: ServiceClient, supply: Mapping[str, int], *, load: str, in_flight: int, on_done: Callable[[int], None]
) -> None:
    """Receives so many units of each article; its key depends on the article and on what the `load` is called, so that
    a repetition of the same load changes nothing, and another one brings stock of its own. `on_done` gets
    the ordinal of each article.

    Raises:
        StockRefused: the command API refuses an article.
        NoResponse: a command had no final answer in time.
    """
    articles = enumerate(supply.items())

    async def work() -> None:
        for ordinal, (sku, units) in articles:
            headers = {"Idempotency-Key": f"{load}-stock-{sku}"}
            answer = await client.request("POST", f"/stock/{sku}/receive", json={"quantity": units}, headers=headers)
            if answer.status not in (200, 201):
                raise StockRefused(f"POST /stock/{sku}/receive: {answer.status} {answer.body[:300]!r}")
            on_done(ordinal)

    workers = [asyncio.create_task(work()) for _ in range(in_flight)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
