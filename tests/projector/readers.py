"""Clients of the query API that read all the time, and never see anything fail, go missing, or go back."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.projector.appending import Appender
from tests.support.http_session import http_session
from tests.support.services import Service

PAGES = 3


class Readers:
    """`appender` knows what has been acknowledged: what a query with `at_least` must show.

    While `outage` is set a store is away, and a 503 is an honest answer.
    """

    def __init__(self, queries: Service, appender: Appender, choose: random.Random) -> None:
        self.outage = False
        self.reads = 0
        self.unavailable = 0
        self._url = queries.url
        self._appender = appender
        self._choose = choose

    async def orders(self) -> None:
        """Single orders, old and new ones; half of the reads are sure of the last event."""
        seen: dict[str, tuple[int, int]] = {}
        async with http_session() as http:
            while True:
                order = self._some_order()
                at, version = self._appender.last[order]
                sure = self._choose.random() < 0.5
                answer = await self._get(http, f"/orders/{order}", at if sure else None)
                if answer is None:
                    continue
                status, headers, body = answer
                if status == 404:
                    assert not sure, f"{order} is missing, with at_least={at}"
                    assert order not in seen, f"{order} went missing"
                    continue
                found = (int(headers["Eventfold-Position"]), int(headers["ETag"].strip('"')))
                assert found[1] == body["version"]
                assert found >= seen.get(order, (0, 0)), f"{order} went back from {seen[order]} to {found}"
                assert not sure or found >= (at, version), f"{order}: {found}, with at_least={at}"
                seen[order] = found

    async def customers(self) -> None:
        """The customers' figures."""
        seen: dict[str, tuple[int, int, int]] = {}
        async with http_session() as http:
            while True:
                customer = f"{self._appender.prefix}-c{self._choose.randrange(20)}"
                at = max(position for position, _ in self._appender.last.values())
                sure = self._choose.random() < 0.5
                answer = await self._get(http, f"/customers/{customer}", at if sure else None)
                if answer is None:
                    continue
                status, headers, body = answer
                assert status == 200 or customer not in seen, f"{customer} went missing"
                if status == 200:
                    found = (int(headers["Eventfold-Position"]), body["orders"], body["cancelled"])
                    before = seen.get(customer, (0, 0, 0))
                    assert all(a >= b for a, b in zip(found, before, strict=True)), f"{customer}: {before} to {found}"
                    seen[customer] = found

    async def pages(self) -> None:
        """The list of all orders, a few pages of it: no row is missing in it, or twice, and it only gets longer."""
        newest, furthest = 0, 0
        async with http_session() as http:
            while True:
                placed, at = len(self._appender.placed) - 1, self._appender.last[self._appender.placed[-1]][0]
                sure = self._choose.random() < 0.5
                rows, position = await self._list(http, at if sure else None)
                if not rows:
                    continue
                places = {order: place for place, order in enumerate(self._appender.placed)}
                # The very newest may have been appended and shown, but not have been acknowledged yet.
                listed = [places.get(row, len(places)) for row in rows]
                assert listed == list(range(listed[0], listed[0] - len(listed), -1)), f"pages with gaps: {rows}"
                assert listed[0] >= newest, "the list got shorter"
                assert position >= furthest, "the list went back"
                assert not sure or listed[0] >= placed, f"{rows[0]} is the newest listed, with at_least={at}"
                newest, furthest = listed[0], position

    async def _list(self, http: aiohttp.ClientSession, at_least: int | None) -> tuple[list[str], int]:
        rows: list[str] = []
        first = await self._get(http, "/orders?limit=7", at_least)
        position, answer = -1, first
        for _ in range(PAGES):
            if answer is None:
                return [], -1
            status, headers, body = answer
            assert status == 200, body
            position = max(position, int(headers["Eventfold-Position"]))
            rows += [item["order_id"] for item in body["items"]]
            if "next" not in body:
                break
            answer = await self._get(http, f"/orders?limit=7&cursor={body['next']}", None)
        assert first is not None
        return rows, int(first[1]["Eventfold-Position"])

    async def _get(self, http: aiohttp.ClientSession, path: str, at_least: int | None) -> tuple[int, Any, Any] | None:
        """The answer; None while a store is away."""
        if at_least is not None:
            path += f"{'&' if '?' in path else '?'}at_least={at_least}"
        await asyncio.sleep(0.003)  # leaves the others some of two cores
        may_fail = self.outage
        async with http.get(self._url + path) as answer:
            body = await answer.json(content_type=None)
            self.reads += 1
            if answer.status == 503 and (may_fail or self.outage):
                self.unavailable += 1
                return None
            assert answer.status in (200, 404), f"{path}: {answer.status} {body}"
            return answer.status, answer.headers, body

    def _some_order(self) -> str:
        placed = self._appender.placed
        recent = placed[-10:] if self._choose.random() < 0.5 else placed
        return self._choose.choice(recent)


@asynccontextmanager
async def reading(queries: Service, appender: Appender, choose: random.Random) -> AsyncIterator[Readers]:
    """One reader of each kind at work for the block; what they find wrong fails it, at once."""
    readers = Readers(queries, appender, choose)
    kinds: list[Callable[[], Awaitable[None]]] = [readers.orders, readers.customers, readers.pages]
    block = asyncio.current_task()
    tasks = [asyncio.ensure_future(kind()) for kind in kinds]
    for task in tasks:
        task.add_done_callback(lambda done: None if done.cancelled() or block is None else block.cancel())
    try:
        yield readers
    except asyncio.CancelledError:
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
        if not failed or block is None:
            raise
        block.uncancel()
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if not isinstance(outcome, asyncio.CancelledError):
            raise AssertionError(f"a reader: {outcome!r}") from (outcome if isinstance(outcome, Exception) else None)
