"""What the views do say, read from the query API."""

import asyncio
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from examples.retail.baskets.basket import CURRENCY
from examples.retail.loading.outcome import Refusal
from examples.retail.reconciliation.figures import STATUSES, Figures, OrderFigures, Sales
from infrastructure.http.client import ServiceClient, ServiceResponse

PAGE_SIZE = 100
AT_A_TIME = 16


class UnexpectedAnswer(Exception):
    """The query API answered with an error, or listed an order twice."""


async def observed_figures(
    query_api: ServiceClient,
    position: int,
    customers: Iterable[str],
    days: Iterable[str],
    refusals: Iterable[Refusal],
) -> Figures:
    """The figures of every listed order, those customers and those days, read no earlier than at `position`.

    Raises:
        UnexpectedAnswer: the query API answers with an error, or lists an order twice.
        NoResponse: it does not reach the position in time.
    """
    at_least = str(position)
    return Figures(
        orders=await _orders(query_api, at_least),
        customers=await _customers(query_api, at_least, customers),
        days=await _days(query_api, at_least, sorted(days)),
        refused={r.order_id: frozenset(fault.pointer for fault in r.faults) for r in refusals},
    )


async def _orders(query_api: ServiceClient, at_least: str) -> dict[str, OrderFigures]:
    """Every order of every status, page by page."""
    orders: dict[str, OrderFigures] = {}
    for status in STATUSES:
        async for item in _pages(query_api, status, at_least):
            if item["order_id"] in orders:
                raise UnexpectedAnswer(f"the query API lists {item['order_id']} twice")
            orders[item["order_id"]] = OrderFigures(
                item["customer_id"], item["status"], item["total"], steps=item["version"]
            )
    return orders


async def _pages(query_api: ServiceClient, status: str, at_least: str) -> Any:
    query = {"status": status, "limit": str(PAGE_SIZE), "at_least": at_least}
    while True:
        page = _ok(await query_api.get("/orders", **query), "/orders")
        for item in page["items"]:
            yield item
        if not page.get("next"):
            return
        query["cursor"] = page["next"]


async def _customers(query_api: ServiceClient, at_least: str, customers: Iterable[str]) -> dict[str, Sales]:
    places = asyncio.Semaphore(AT_A_TIME)

    async def one(customer_id: str) -> tuple[str, Sales | None]:
        async with places:
            answer = await query_api.get(f"/customers/{customer_id}", at_least=at_least)
        if answer.status == 404:
            return customer_id, None
        summary = _ok(answer, f"/customers/{customer_id}")
        return customer_id, _sales(summary, "spend")

    answers = await asyncio.gather(*(one(customer_id) for customer_id in customers))
    return {customer_id: sales for customer_id, sales in answers if sales is not None}


async def _days(query_api: ServiceClient, at_least: str, days: list[str]) -> dict[str, Sales]:
    """The sales of each day that has any. One day more is asked for at each end, where nothing may be."""
    first, last = date.fromisoformat(days[0]) - timedelta(days=1), date.fromisoformat(days[-1]) + timedelta(days=1)
    query = {"from": first.isoformat(), "to": last.isoformat(), "at_least": at_least}
    answer = _ok(await query_api.get("/daily-sales", **query), "/daily-sales")
    return {item["day"]: _sales(item, "revenue") for item in answer["items"] if item["orders"]}


def _sales(item: dict[str, Any], amount: str) -> Sales:
    return Sales(item["orders"], item["cancelled"], item[amount].get(CURRENCY, 0))


def _ok(answer: ServiceResponse, path: str) -> Any:
    if answer.status != 200:
        raise UnexpectedAnswer(f"the query API answers {answer.status} to GET {path}: {answer.body[:300]!r}")
    return answer.json()
